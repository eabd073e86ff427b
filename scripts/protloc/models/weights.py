"""A network of the registry with its weights in place: published ones, or random ones, each time the same."""

from __future__ import annotations

import hashlib

import timm
import torch
from torch import nn

from protloc.config.backbones import Network
from protloc.errors import InputError
from protloc.models.length import vector_length
from protloc.models.loading.files import weights_file
from protloc.models.loading.fit import load_by_name
from protloc.models.loading.package import load_in_order
from protloc.models.pooling import set_feature
from protloc.models.positions import set_positions


def build(network: Network) -> nn.Module:
    """The timm model of a registry row, in evaluation mode, without its classifier: images in, vectors out.

    Raises InputError for an unknown architecture, weights that do not fit it, or neither weights nor a seed.
    """
    if network.weights is None and network.seed is None:
        raise InputError(f"config/backbones.yaml: {network.title}: give weights, or the seed of random ones")
    model = classifier(network)
    as_encoder(model, network)
    if network.weights is not None and network.layout != "package":
        load_by_name(model, weights_file(network), network)
    return model.eval()


def as_encoder(model: nn.Module, network: Network) -> None:
    """Make a model with a classifier one that gives the vectors of its row, `num_features` long."""
    set_feature(model, network.feature)
    set_positions(model, network.positions)
    model.num_features = vector_length(model, network)


def classifier(network: Network) -> nn.Module:
    """The whole model with its classifier, random but for the weights that a package ships for all of it."""
    model = blank(network)
    if network.layout == "package":
        load_in_order(model, weights_file(network))
    return model


def blank(network: Network) -> nn.Module:
    """The whole model with its classifier and with random weights, also on the meta device."""
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
    if network.norm_eps is not None:
        _set_norm_eps(model, network.norm_eps)
    return model


def _set_norm_eps(model: nn.Module, eps: float) -> None:
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = eps


def digest(model: nn.Module) -> str:
    """Hexadecimal SHA-256 over the names, types, shapes and bytes of all tensors, in their order."""
    hashed = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        hashed.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()
