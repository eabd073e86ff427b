"""Files in the safetensors format: tensors and their names, and nothing that could run."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from protloc.models.loading.reading import damaged


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors by the names that the file gives them; raises InputError for a damaged file."""
    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError) as error:
        raise damaged(path, error) from error
