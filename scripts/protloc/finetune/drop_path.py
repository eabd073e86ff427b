"""Stochastic depth (Huang et al. 2016, arXiv 1603.09382), drawn for each image by itself.

timm's own draws from one generator for the whole batch: an image's fate would depend on how batches are cut.
"""

from __future__ import annotations

import threading

import numpy as np
import torch
from torch import Tensor, nn


class Branches(threading.local):
    """What each image's residual branches count in this thread's batch, (images, branches); None: all 1."""

    factors: Tensor | None = None


class DropPath(nn.Module):
    """One residual branch of a network, times what it counts."""

    def __init__(self, branches: Branches, number: int) -> None:
        super().__init__()
        self.branches, self.number = branches, number

    def forward(self, inputs: Tensor) -> Tensor:
        """The branch's output (images, ...), scaled image by image."""
        factors = self.branches.factors
        if factors is None:
            return inputs
        return inputs * factors[:, self.number].to(inputs.dtype).reshape(-1, *[1] * (inputs.ndim - 1))


def add_drop_path(model: nn.Module, rate: float, branches: Branches) -> np.ndarray:
    """Put a DropPath where timm has a place for one; gives the chance of each to be dropped, (branches,).

    It rises from 0 at the first branch to `rate` at the last. No branch at all if the rate is 0.
    """
    places = [
        (module, name)
        for module in model.modules()
        for name, _ in module.named_children()
        if name.startswith("drop_path") and rate
    ]
    for number, (module, name) in enumerate(places):
        setattr(module, name, DropPath(branches, number))
    return np.linspace(0, rate, len(places))


def draw_factors(rates: np.ndarray, rng: np.random.Generator) -> Tensor:
    """What each branch counts for one image, float32 (branches,): 0, or more than 1, 1 in the mean."""
    kept = rng.random(len(rates)) >= rates
    return torch.from_numpy((kept / (1 - rates)).astype(np.float32))
