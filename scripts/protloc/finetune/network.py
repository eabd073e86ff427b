"""A backbone under a channel strategy with a head behind it: images of two channels in, logits out."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from protloc.config.backbones import Network
from protloc.config.settings import Finetune
from protloc.finetune.drop_path import Branches, add_drop_path
from protloc.finetune.head import Head
from protloc.finetune.parts import MODES
from protloc.models.folding import fold
from protloc.models.strategies import matrices


class Classifier(nn.Module):
    """The strategy's passes of a network, which share all but their first convolution, and a head.

    The network stays in evaluation mode: batch norms keep their statistics, so that an image counts for
    itself in any batch, and chance enters by residual branches alone, which are dropped at `rates`.
    """

    def __init__(
        self, base: nn.Module, network: Network, strategy: str, head: Head, settings: Finetune, seed: int
    ) -> None:
        super().__init__()
        model = copy.deepcopy(base).eval()
        MODES[settings.mode](model, settings, seed)
        found = matrices(strategy, network.slots, network.natural)
        self.passes = nn.ModuleList(fold(model, matrix, *network.moments) for matrix in found)
        self.head, self.branches = head, Branches()
        for one in self.passes:
            self.rates = add_drop_path(one, settings.drop_path, self.branches)
        for parameter in self.parameters():  # the optimizer takes parameter, gradient and moments as flat
            parameter.data = parameter.data.contiguous()

    def vectors(self, images: Tensor) -> Tensor:
        """Float32 (images, dimension) of prepared images (images, channels, height, width)."""
        return torch.cat([network(images) for network in self.passes], dim=1).float()

    def forward(self, images: Tensor, factors: Tensor | None = None) -> Tensor:
        """The logits (images, classes); `factors` are what residual branches count, (images, branches)."""
        self.branches.factors = factors
        vectors = self.vectors(images)
        with torch.autocast(vectors.device.type, enabled=False):
            return self.head(vectors)
