"""Checkpoints of facebookresearch/dino: a backbone alone, or a training run with student and teacher.

The names are timm's own. Source: Caron et al. 2021 and the files of dl.fbaipublicfiles.com/dino.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from protloc.models.loading.reading import TRAINING, only_tensors, read_pickle, without


def tensors(path: Path) -> dict[str, Tensor]:
    """The backbone's tensors by name, the teacher's in a training checkpoint; its head is left over there."""
    content = read_pickle(path, TRAINING)
    if isinstance(content, dict) and "teacher" in content:
        return teacher(content, path)
    return only_tensors(content, path)


def teacher(content: dict[str, Any], path: Path) -> dict[str, Tensor]:
    """The teacher's tensors, the wrappers `module.` and `backbone.` taken off; `head.*` is left over."""
    found = only_tensors(content["teacher"], path, "teacher")
    return without(without(found, "module.", path), "backbone.", path)
