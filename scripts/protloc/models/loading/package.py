"""Weights that a package ships under names of its own, but in the order and shapes of the architecture."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from protloc.errors import InputError
from protloc.models.loading.reading import only_tensors, read_pickle


def load_in_order(model: nn.Module, path: Path) -> None:
    """Fill the model, classifier included; raises InputError where number or shapes differ."""
    state, expected = only_tensors(read_pickle(path), path), model.state_dict()
    if len(state) != len(expected):
        raise InputError(f"{path}: holds {len(state)} tensors, the architecture has {len(expected)}")
    for (name, own), (given, tensor) in zip(expected.items(), state.items(), strict=True):
        if tensor.shape != own.shape:
            raise InputError(
                f"{path}: {given} has shape {tuple(tensor.shape)}, {name} of the architecture "
                f"{tuple(own.shape)}; correct architecture, options or slots in config/backbones.yaml"
            )
    model.load_state_dict(dict(zip(expected, state.values(), strict=True)))
