"""What probabilities are worth before anything is decided by them: ranking and calibration."""

from __future__ import annotations

import numpy as np

BINS = 15


def macro_average_precision(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean average precision of the classes that are true at least once; both are (rows, classes).

    That of scikit-learn, whose function takes ten times as long to look at one class after the other.
    """
    present = truth.any(axis=0)
    truth, scores = truth.T[present], probabilities.T[present]
    order = np.argsort(-scores, axis=1, kind="stable")
    hits, ranked = (np.take_along_axis(of, order, axis=1) for of in (truth, scores))
    places = np.arange(truth.shape[1])
    precision = hits.cumsum(axis=1) / (places + 1)
    # Rows of equal score are found together: each has the precision after the last of them.
    last = np.diff(ranked, axis=1, append=np.nan) != 0
    ends = np.minimum.accumulate(np.where(last, places, len(places))[:, ::-1], axis=1)[:, ::-1]
    found = np.take_along_axis(precision, ends, axis=1) * hits
    return float((found.sum(axis=1) / hits.sum(axis=1)).mean())


def calibration_error(
    truth: np.ndarray, probabilities: np.ndarray, policy: str, masked: np.ndarray | None = None
) -> float:
    """The expected calibration error, 0 to 1 (Guo et al. 2017), in 15 bins of equal width.

    Under `multi` of the probabilities of all classes that are not `masked` together; else of that of the
    likeliest class that is not, given that it is none that is.
    """
    counts = np.ones_like(truth, dtype=bool) if masked is None else ~masked
    if policy != "multi":
        probabilities = probabilities * counts
        whole = probabilities.sum(axis=1, keepdims=True)
        given = (whole > 0) & ~counts.all(axis=1, keepdims=True)
        probabilities = np.divide(probabilities, whole, out=probabilities, where=given)
        likeliest = probabilities.argmax(axis=1)[:, None]
        truth, probabilities = (np.take_along_axis(of, likeliest, axis=1) for of in (truth, probabilities))
    else:
        truth, probabilities = truth[counts], probabilities[counts]
    hits, scores = truth.ravel().astype(float), probabilities.ravel().astype(float)
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    gaps = np.bincount(place, weights=hits - scores, minlength=BINS)
    return float(np.abs(gaps).sum() / len(scores))
