"""Low-rank adapters (Hu et al. 2021, LoRA, arXiv 2106.09685) beside the attention's matrices."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from protloc.errors import InputError

LAYERS = ("qkv", "proj")


class LowRank(nn.Module):
    """A linear layer that stays as it is, plus alpha / rank times a product of two thin matrices that learn.

    One of them begins as zeros, so at first the layer gives what it gave.
    """

    def __init__(self, layer: nn.Linear, rank: int, alpha: float, chance: Generator) -> None:
        super().__init__()
        self.layer, self.factor = layer, alpha / rank
        bound = layer.in_features**-0.5
        down = torch.empty(rank, layer.in_features).uniform_(-bound, bound, generator=chance)
        self.down, self.up = nn.Parameter(down), nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, inputs: Tensor) -> Tensor:
        """The layer's outputs (..., out) of (..., in), adapted."""
        return self.layer(inputs) + self.factor * linear(linear(inputs, self.down), self.up)


def add_adapters(model: nn.Module, rank: int, alpha: float, seed: int) -> None:
    """Put an adapter beside each matrix of each attention block of a timm ViT.

    Raises InputError for a network without such blocks, or with others (DINOv3 with biases of its own).
    """
    attentions = [module for name, module in model.named_modules() if name.endswith(".attn")]
    found = [
        (attention, name)
        for attention in attentions
        for name in LAYERS
        if isinstance(getattr(attention, name, None), nn.Linear)
    ]
    if not found:
        raise InputError(
            f"finetune.mode: low_rank: {type(model).__name__} has no attention with {' and '.join(LAYERS)}; "
            "use full or last_n_blocks, or leave it out of finetune.backbones"
        )
    if any(getattr(attention, "q_bias", None) is not None for attention in attentions):
        raise InputError(
            f"finetune.mode: low_rank: {type(model).__name__} adds biases of its own to the product of qkv, "
            "which an adapter would not reach; use full or last_n_blocks"
        )
    chance = Generator().manual_seed(seed)
    for attention, name in found:
        setattr(attention, name, LowRank(getattr(attention, name), rank, alpha, chance))
