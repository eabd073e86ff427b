"""From probabilities to labels: the one rule for fields and, averaged, for proteins."""

from __future__ import annotations

import numpy as np

THRESHOLD = 0.5


def decide(
    probabilities: np.ndarray,
    policy: str,
    thresholds: np.ndarray | None = None,
    masked: np.ndarray | None = None,
) -> np.ndarray:
    """Predicted classes, bool (images, classes), of float probabilities of the same shape.

    The likeliest class, the first of equals; under `multi` also each class above its threshold, one half if
    none is given. Classes that are `masked` for an image, bool (images, classes), take no part. An image
    without any label would be wrong for certain: the policies keep only proteins that have one.
    """
    if masked is not None:
        probabilities = np.where(masked, -np.inf, probabilities)
    likeliest = np.eye(probabilities.shape[1], dtype=bool)[probabilities.argmax(axis=1)]
    return (
        likeliest | (probabilities > (THRESHOLD if thresholds is None else thresholds))
        if policy == "multi"
        else likeliest
    )
