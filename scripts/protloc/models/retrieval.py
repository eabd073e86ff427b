"""How well vectors tell what belongs together, and how they lie: numbers that need no training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ROUNDING = 1e-12  # share of the squared length: float32 vectors that differ by less do not differ


def same_label_precision(vectors: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Average precision (rows,) of each row as a query for the others of its label, ranked by cosine.

    1 where all of them come first; about their share among the others by chance. A row that is alone with its
    label gives nan.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
    similar = unit @ unit.T
    names = np.asarray(labels)
    return np.array([_average_precision(similar[row], names == names[row], row) for row in range(len(names))])


def _average_precision(similar: np.ndarray, same: np.ndarray, query: int) -> float:
    order = np.argsort(-similar, kind="stable")
    hits = same[order[order != query]]
    if not hits.any():
        return float("nan")
    ranks = np.flatnonzero(hits) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean())


def effective_dimensions(vectors: np.ndarray) -> float:
    """The number of directions that the rows spread over: exp of the entropy of the variances."""
    wide = vectors.astype(np.float64)
    variances = np.linalg.svd(wide - wide.mean(axis=0), compute_uv=False) ** 2
    if variances.sum() <= ROUNDING * (wide**2).sum():
        return 0.0
    shares = variances[variances > 0] / variances.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
