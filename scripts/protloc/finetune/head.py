"""The probe's own head behind a network: fine-tuning starts where the frozen probe ended.

A network under a random head loses some of what it knew as it is trained (Kumar et al. 2022, arXiv
2202.10054).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from protloc.standard_scores import BOUND, StandardScores


class Head(nn.Module):
    """Logits (images, classes) of vectors (images, dimension): standard scores, and layers with ReLU between.

    layers: weights (in, out) and biases (out,) of each. It has no dropout: what chance there is enters
    through the network.
    """

    def __init__(self, scores: StandardScores, layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(scores.mean), persistent=False)
        self.register_buffer("scale", torch.tensor(scores.scale), persistent=False)
        self.layers = nn.ModuleList(_linear(*layer) for layer in layers)

    def forward(self, vectors: Tensor) -> Tensor:
        """The logits; vectors that the network has moved are standardized as the first ones were."""
        found = ((vectors - self.mean) * self.scale).clamp(-BOUND, BOUND)
        for layer in self.layers[:-1]:
            found = layer(found).relu()
        return self.layers[-1](found)


def _linear(weights: np.ndarray, biases: np.ndarray) -> nn.Linear:
    layer = nn.Linear(*weights.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights.T))
        layer.bias.copy_(torch.from_numpy(biases))
    return layer
