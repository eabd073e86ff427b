"""AdamW (Loshchilov & Hutter, arXiv 1711.05101) on stacked heads, each with its own weight decay."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MEAN, SQUARE, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults


class AdamW:
    """Steps of AdamW; `decays` (heads, 1, 1) are for the `decayed` parameters.

    The sums are torch.optim's, which imports torch's compiler: longer than many a job trains.
    """

    def __init__(self, parameters: Sequence[Tensor], decayed: Sequence[Tensor], decays: Tensor) -> None:
        self._parameters, self._decayed, self._decays = list(parameters), list(decayed), decays
        self._means, self._squares = ([torch.zeros_like(of) for of in self._parameters] for _ in range(2))
        self._steps = 0

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Use the gradients up."""
        self._steps += 1
        for weight in self._decayed:
            weight.mul_(1 - rate * self._decays)
        unbiased, scale = 1 - MEAN**self._steps, (1 - SQUARE**self._steps) ** 0.5
        for parameter, mean, square in zip(self._parameters, self._means, self._squares, strict=True):
            gradient, parameter.grad = parameter.grad, None
            mean.lerp_(gradient, 1 - MEAN)
            square.mul_(SQUARE).addcmul_(gradient, gradient, value=1 - SQUARE)
            parameter.addcdiv_(mean, square.sqrt().div_(scale).add_(EPSILON), value=-rate / unbiased)
