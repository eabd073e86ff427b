"""What a classifier minimizes and what its outputs mean, by label policy, however it is trained.

A masked class of an image is one that may or may not be there: it has no part in the loss of that image.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax

NEVER = -float("inf")


def losses(
    logits: Tensor, targets: Tensor, weights: Tensor, policy: str, masked: Tensor | None = None
) -> Tensor:
    """The loss of each image (..., images), for logits, targets and bool `masked` (..., images, classes).

    `single`: cross-entropy of a softmax over the classes that are not masked; `multi`: the mean over the
    classes of that of their sigmoids, 0 where masked. Each class counts by its weight, (..., classes).
    """
    if policy == "single":
        found = log_softmax(logits if masked is None else logits.masked_fill(masked, NEVER), -1)
        found = found if masked is None else found.masked_fill(masked, 0)
        return -(found * targets * weights).sum(-1)
    found = binary_cross_entropy_with_logits(logits, targets, reduction="none") * weights
    return (found if masked is None else found.masked_fill(masked, 0)).mean(-1)


def probabilities(
    logits: Tensor, present: Tensor | bool, policy: str, masked: Tensor | None = None
) -> Tensor:
    """Of a softmax or of sigmoids; a class that is not `present`, bool (..., classes), or masked has none."""
    there = present if masked is None else ~masked & present
    if policy == "multi":
        return logits.sigmoid() * there
    return (logits if there is True else logits.masked_fill(~there, NEVER)).softmax(-1)
