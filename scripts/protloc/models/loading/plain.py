"""State dictionaries as torch.save writes them, alone or below the key `state_dict` or `model`."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from protloc.models.loading.reading import TRAINING, only_tensors, read_pickle

KEYS = ("state_dict", "model")


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors by the names that the file gives them."""
    content = read_pickle(path, TRAINING)
    if isinstance(content, dict):
        key = next((key for key in KEYS if isinstance(content.get(key), dict)), None)
        if key:
            return only_tensors(content[key], path, key)
    return only_tensors(content, path)
