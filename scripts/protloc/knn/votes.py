"""The class that the nearest neighbours vote for, for several numbers of neighbours at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def plain(labels: np.ndarray, k: Sequence[int], classes: int) -> np.ndarray:
    """The class that most of the first k neighbours have: int64 (queries, len(k)).

    `labels` are the neighbours' classes, near to far, integers (queries, neighbours). Of several such
    classes it is the first, as in scikit-learn's KNeighborsClassifier.
    """
    return _elect(labels, np.ones(labels.shape), k, classes)


def weighted(
    labels: np.ndarray, similarity: np.ndarray, k: Sequence[int], classes: int, temperature: float
) -> np.ndarray:
    """The same with votes that weigh exp(similarity / temperature), as in DINO (Caron et al. 2021)."""
    above = similarity - similarity[:, :1]  # a factor that all votes share: no exponential gets too large
    return _elect(labels, np.exp(above / temperature), k, classes)


def _elect(labels: np.ndarray, weights: np.ndarray, k: Sequence[int], classes: int) -> np.ndarray:
    """Each sum goes from near to far: of equal votes, equal sums."""
    ballots = labels + classes * np.arange(len(labels))[:, None]
    elected = []
    for count in k:
        votes = (part[:, :count].ravel() for part in (ballots, weights))
        sums = np.bincount(*votes, minlength=classes * len(labels)).reshape(-1, classes)
        elected.append(sums.argmax(axis=1))
    return np.stack(elected, axis=1)
