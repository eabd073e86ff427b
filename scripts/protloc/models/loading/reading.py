"""The content of a file of weights, read so that nothing in the file can run."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.serialization import safe_globals

from protloc.errors import InputError

# What else than tensors a training loop writes into its checkpoint: the command line, and learning rates as
# NumPy scalars, under the names that NumPy 1 and 2 give them.
TRAINING = (
    "argparse.Namespace",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
)
_FORBIDDEN = re.compile(r"GLOBAL (\S+)")


class Unused:
    """Stands for an object that the file holds and nobody needs, so that its own class never runs."""

    def __new__(cls, *_: object) -> Self:  # noqa: D102
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_pickle(path: Path, names: Collection[str] = ()) -> Any:
    """What `torch.save` wrote: tensors on the CPU, numbers, texts, lists and dictionaries.

    Objects of the classes in `names` become `Unused`; any other class or function is refused unrun. Raises
    InputError for that, and for a file that is damaged.
    """
    try:
        with safe_globals([(Unused, name) for name in names]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises whatever its damaged bytes lead to
        found = _FORBIDDEN.search(str(error))
        if found:
            raise InputError(
                f"{path}: refused: loading it would run {found[1]}, and weights are only tensors; "
                "get the file from its publisher, or convert it to safetensors"
            ) from error
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> InputError:
    """The one line for a file that cannot be read."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(f"{path}: not a readable file of weights ({first[:200]}); fetch it again")


def only_tensors(content: Any, path: Path, what: str = "the file") -> dict[str, Tensor]:
    """The content itself, if it is a dictionary of named tensors; raises InputError if it is not."""
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: {what} holds no named tensors; correct layout in config/backbones.yaml")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(
                f"{path}: {what} holds {name}, a {type(value).__name__}, where only tensors belong; "
                "correct layout in config/backbones.yaml"
            )
    return content


def without(tensors: dict[str, Tensor], prefix: str, path: Path) -> dict[str, Tensor]:
    """The tensors, `prefix` taken off the names that begin with it; raises InputError if two names meet."""
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        short = name.removeprefix(prefix)
        if short in named:
            raise InputError(f"{path}: holds {short} both with and without {prefix}; which one is meant?")
        named[short] = tensor
    return named
