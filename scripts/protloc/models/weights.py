"""Weights of a network: those that a package ships, or random ones that are the same each time."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from protloc.config.backbones import Network
from protloc.errors import InputError


def build(network: Network) -> nn.Module:
    """The timm model of a registry row, in evaluation mode, without its classifier: images in, vectors out.

    A ViT gives its class token after the last norm, a convolutional network its global average. Raises
    InputError for an unknown architecture, weights that do not fit it, or neither weights nor a seed.
    """
    if network.weights is None and network.seed is None:
        raise InputError(f"config/backbones.yaml: {network.title}: give weights, or the seed of random ones")
    model = classifier(network)
    model.reset_classifier(0)
    return model.eval()


def classifier(network: Network) -> nn.Module:
    """The whole model with its classifier, weights in place."""
    if not timm.is_model(network.architecture):
        raise InputError(
            f"config/backbones.yaml: {network.title}: architecture: timm has no {network.architecture}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(network.seed or 0)
        try:
            model = timm.create_model(network.architecture, in_chans=len(network.slots), **network.options)
        except TypeError as error:
            raise InputError(f"config/backbones.yaml: {network.title}: options: {error}") from error
    if network.weights is not None:
        _load(model, packaged_file(network.weights))
    return model


def packaged_file(package: str) -> Path:
    """The one `.pth` file of an installed package, found without running the package."""
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"config/backbones.yaml: weights: package {package} is not installed; install it")
    files = [path for folder in spec.submodule_search_locations for path in Path(folder).rglob("*.pth")]
    if len(files) != 1:
        raise InputError(
            f"config/backbones.yaml: weights: package {package} has {len(files)} .pth files, expected one"
        )
    return files[0]


def _load(model: nn.Module, path: Path) -> None:
    """Load a file whose tensors have the order and shapes of the model's, under whatever names."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises whatever its damaged bytes lead to
        first = str(error).partition("\n")[0]
        raise InputError(
            f"{path}: not a readable file of weights ({first}); install its package again"
        ) from error
    expected = model.state_dict()
    count = len(state) if isinstance(state, dict) else 0
    if count != len(expected):
        raise InputError(f"{path}: holds {count} tensors, the architecture has {len(expected)}")
    for (name, own), (given, tensor) in zip(expected.items(), state.items(), strict=True):
        if not isinstance(tensor, Tensor) or tensor.shape != own.shape:
            shape = tuple(getattr(tensor, "shape", ()))
            raise InputError(
                f"{path}: {given} has shape {shape}, {name} of the architecture {tuple(own.shape)}"
            )
    model.load_state_dict(dict(zip(expected, state.values(), strict=True)))


def digest(model: nn.Module) -> str:
    """Hexadecimal SHA-256 over the names, types, shapes and bytes of all tensors, in their order."""
    hashed = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        hashed.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()
