"""F1 from counts of true positives, false positives and false negatives, an array (…, 3, classes)."""

from __future__ import annotations

import numpy as np


def count(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """True positives, false positives and false negatives of each row: int64 (rows, 3, classes).

    `truth` and `predicted` are bool (rows, classes).
    """
    return np.stack([truth & predicted, ~truth & predicted, truth & ~predicted], axis=1).astype(np.int64)


def per_class(counts: np.ndarray) -> np.ndarray:
    """The F1 of each class, 0 for one that is never true nor predicted."""
    return _f1(*np.moveaxis(counts, -2, 0))


def macro(counts: np.ndarray) -> np.ndarray:
    """The mean F1 over classes, 0 for a class that is never true nor predicted."""
    return per_class(counts).mean(axis=-1)


def macro_of_present(counts: np.ndarray) -> np.ndarray:
    """The mean F1 over the classes that are true at least once; NaN if none is."""
    present = counts[..., 0, :] + counts[..., 2, :] > 0
    summed = (per_class(counts) * present).sum(axis=-1)
    return _ratio(summed, present.sum(axis=-1), nothing=np.nan)


def micro(counts: np.ndarray) -> np.ndarray:
    """The F1 of all classes taken together."""
    return _f1(*np.moveaxis(counts.sum(axis=-1), -1, 0))


def _f1(both: np.ndarray, false_positive: np.ndarray, false_negative: np.ndarray) -> np.ndarray:
    return _ratio(2 * both, 2 * both + false_positive + false_negative, nothing=0)


def _ratio(part: np.ndarray, whole: np.ndarray, nothing: float) -> np.ndarray:
    """`part` / `whole`, and `nothing` where the whole is 0."""
    out = np.full_like(part, nothing, dtype=float)  # in the same order in memory: several times as fast
    return np.divide(part, whole, out=out, where=whole > 0, dtype=float)
