"""What DINO minimizes: the student is to assign its views to prototypes as the teacher assigns the others.

The teacher's assignments are balanced by Sinkhorn and Knopp's iteration (Caron et al. 2020, SwAV, arXiv
2006.09882; in DINO's place since DINOv2, arXiv 2304.07193) and not by a running centre, which collapsed here.
Its logits are standardized first, so that a temperature means the same early, when all vectors are nearly
alike, as late.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, log_softmax, normalize

ITERATIONS = 3


class Head(nn.Module):
    """Projection onto the unit sphere, and there the cosine with each prototype.

    That is DINOHead of DINO's vision_transformer.py with normalized prototypes: `layers` linear layers, all
    but the last of a width of `hidden`, and a last one without bias, the weights of which have length 1.
    """

    def __init__(self, dimension: int, layers: int, hidden: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        widths = [dimension, *[hidden] * (layers - 1), bottleneck]
        pairs = [(nn.Linear(*ends), nn.GELU()) for ends in pairwise(widths)]
        self.projection = nn.Sequential(*[part for pair in pairs for part in pair][:-1])
        self.prototypes = nn.Parameter(torch.randn(prototypes, bottleneck))

    def forward(self, features: Tensor) -> Tensor:
        """Cosines (images, prototypes), -1 to 1, of features (images, dimension)."""
        return linear(normalize(self.projection(features), dim=-1), normalize(self.prototypes, dim=-1))


@torch.no_grad()
def assign(cosines: Tensor, temperature: float) -> Tensor:
    """The teacher's targets, (images, prototypes): rows sum to 1, and all prototypes get about equal shares.

    `temperature` is in standard deviations of the cosines about their mean over the batch.
    """
    centred = cosines.float() - cosines.float().mean(dim=0)
    logits = centred / (centred.std().clamp(min=1e-6) * temperature)
    scores = torch.exp(logits - logits.max())
    for _ in range(ITERATIONS):
        scores = scores / scores.sum(dim=0).clamp(min=1e-30)
        scores = scores / scores.sum(dim=1, keepdim=True).clamp(min=1e-30)
    return scores


def disagreement(targets: Sequence[Tensor], cosines: Sequence[Tensor], temperature: float) -> Tensor:
    """The mean cross-entropy, nats, between each of the teacher's views and every other of the student's.

    The first views of the student are those of the teacher: a view is not compared with itself.
    """
    logs = [log_softmax(view.float() / temperature, dim=1) for view in cosines]
    pairs = [
        -(target * log).sum(dim=1).mean()
        for number, target in enumerate(targets)
        for other, log in enumerate(logs)
        if other != number
    ]
    return torch.stack(pairs).mean()


def entropy(targets: Tensor) -> Tensor:
    """The mean entropy of the rows, nats: 0 where each is sure of one prototype, ln K where none is."""
    return -torch.xlogy(targets, targets).sum(dim=1).mean()
