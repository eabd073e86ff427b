"""What a classifier minimizes and what its outputs mean, by label policy, however it is trained."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax


def losses(logits: Tensor, targets: Tensor, weights: Tensor, policy: str) -> Tensor:
    """The loss of each image (..., images), for logits and targets (..., images, classes).

    `single`: cross-entropy of a softmax; `multi`: the mean over the classes of that of their sigmoids. Each
    class counts by its weight, (..., classes).
    """
    if policy == "single":
        return -(log_softmax(logits, -1) * targets * weights).sum(-1)
    return (binary_cross_entropy_with_logits(logits, targets, reduction="none") * weights).mean(-1)


def probabilities(logits: Tensor, present: Tensor, policy: str) -> Tensor:
    """Of a softmax or of sigmoids; a class that is not `present`, bool (..., classes), has none."""
    if policy == "single":
        return logits.masked_fill(~present, -float("inf")).softmax(-1)
    return logits.sigmoid() * present
