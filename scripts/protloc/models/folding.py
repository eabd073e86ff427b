"""A channel strategy and a normalization as weights of the first convolution, where they cost nothing."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn

from protloc.errors import InputError
from protloc.models.strategies import Matrix


class FoldedConv(nn.Module):
    """A convolution over an image's own channels, intensities 0 to 1, instead of over normalized slots.

    The offset of the normalization is the weight of a constant channel of ones, not a bias: where a
    convolution pads with zeros, a padded pixel has no offset, so that borders stay exact too.
    """

    def __init__(self, conv: nn.Conv2d, scale: Tensor, offset: Tensor) -> None:
        super().__init__()
        columns = torch.cat([scale, offset[:, None]], dim=1)
        weight = torch.einsum("oshw,sc->ochw", conv.weight.detach().cpu().double(), columns)
        self.conv = copy.deepcopy(conv)
        self.conv.in_channels = weight.shape[1]
        self.conv.weight = nn.Parameter(weight.to(conv.weight), conv.weight.requires_grad)

    def forward(self, images: Tensor) -> Tensor:
        """What the convolution gave for normalized slots, (batch, features, height, width)."""
        return self.conv(torch.cat([images, torch.ones_like(images[:, :1])], dim=1))


def normalization(matrix: Matrix, mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Scale (slots, channels) and offset (slots), float64: normalized slots are `scale @ x + offset`."""
    spread = torch.tensor(std, dtype=torch.float64)
    scale = torch.tensor(matrix, dtype=torch.float64) / spread[:, None]
    return scale, -scale.sum(dim=1) * torch.tensor(mean, dtype=torch.float64)


def fold(model: nn.Module, matrix: Matrix, mean: Sequence[float], std: Sequence[float]) -> nn.Module:
    """A copy of a timm model that takes image channels (batch, channels, height, width), 0 to 1.

    It shares all weights but those of its first convolution with `model`. Raises InputError for a model
    that does not begin with a plain convolution.
    """
    name = model.pretrained_cfg.get("first_conv")
    conv = model.get_submodule(name) if isinstance(name, str) else None
    if not isinstance(conv, nn.Conv2d) or conv.groups != 1 or conv.padding_mode != "zeros":
        raise InputError(
            f"config/backbones.yaml: architecture: {type(model).__name__} has no plain first convolution"
        )
    shared = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    folded = copy.deepcopy(model, shared)
    folded.set_submodule(name, FoldedConv(conv, *normalization(matrix, mean, std)))
    return folded
