"""Checkpoints of DINO4Cells: a training run of DINO on cells, of which the teacher is the model.

A dictionary of student, teacher, optimizer, epoch, args (an argparse.Namespace) and dino_loss. The names of
the teacher are `[module.]backbone.*`, then as in facebookresearch/dino, and `[module.]head.*`. Source: Doron
et al. 2023, broadinstitute/DINO4Cells_code.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from protloc.errors import InputError
from protloc.models.loading.facebook_dino import teacher
from protloc.models.loading.reading import TRAINING, read_pickle


def tensors(path: Path) -> dict[str, Tensor]:
    """The teacher's tensors by name; those of its projection head, `head.*`, are left over."""
    content = read_pickle(path, TRAINING)
    if not isinstance(content, dict) or "teacher" not in content:
        raise InputError(
            f"{path}: holds no teacher, as layout dino4cells would; correct layout in config/backbones.yaml"
        )
    return teacher(content, path)
