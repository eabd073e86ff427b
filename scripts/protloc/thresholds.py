"""What is chosen on the validation part: the threshold of each class under `multi`."""

from __future__ import annotations

import numpy as np

from protloc.decide import THRESHOLD


def thresholds(probabilities: np.ndarray, truth: np.ndarray, masked: np.ndarray | None = None) -> np.ndarray:
    """Each class's threshold with the highest F1, float32 (classes,); of equals the nearest to one half.

    `probabilities`, `truth` and `masked` (bool) are (images, classes); an image counts for the classes that
    are not masked. Thresholds lie midway between scores that occur; a class without an example has one half.
    """
    counts = np.ones_like(truth) if masked is None else ~masked
    of_classes = zip(probabilities.T, truth.T, counts.T, strict=True)
    return np.array([_best(scores[kept], wanted[kept]) for scores, wanted, kept in of_classes], np.float32)


def _best(scores: np.ndarray, wanted: np.ndarray) -> float:
    if not wanted.any():
        return THRESHOLD
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order].astype(float), np.cumsum(wanted[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + wanted.sum())
    following = np.append(ranked[1:], 0.0)
    middle = (ranked + following) / 2
    possible = ranked > following  # equal scores cannot be told apart
    f1, middle = f1[possible], middle[possible]
    if not possible.any():
        return THRESHOLD
    best = np.flatnonzero(np.isclose(f1, f1.max(), rtol=0, atol=1e-12))
    return float(middle[best[np.argmin(np.abs(middle[best] - THRESHOLD))]])
