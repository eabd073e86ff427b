"""What probabilities are worth before anything is decided by them: ranking and calibration."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score

BINS = 15


def macro_average_precision(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean average precision of the classes that are true at least once; both are (rows, classes)."""
    present = truth.any(axis=0)
    return float(average_precision_score(truth[:, present], probabilities[:, present], average="macro"))


def calibration_error(truth: np.ndarray, probabilities: np.ndarray, policy: str) -> float:
    """The expected calibration error, 0 to 1 (Guo et al. 2017), in 15 bins of equal width.

    Under `single` of the likeliest class's probability, under `multi` of all classes' probabilities together.
    """
    if policy == "single":
        likeliest = probabilities.argmax(axis=1)[:, None]
        truth, probabilities = (np.take_along_axis(of, likeliest, axis=1) for of in (truth, probabilities))
    hits, scores = truth.ravel().astype(float), probabilities.ravel().astype(float)
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    gaps = np.bincount(place, weights=hits - scores, minlength=BINS)
    return float(np.abs(gaps).sum() / len(scores))
