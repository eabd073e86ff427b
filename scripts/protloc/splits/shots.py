"""Few-shot draws: a number of units of each class, such as proteins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def draw_shots(indicator: np.ndarray, shots: Sequence[int], seed: Sequence[int]) -> np.ndarray:
    """For each unit the smallest of `shots` that holds it, float64 (units,); NaN if none does.

    `indicator` is bool (units, classes). Draws are nested: a larger one adds to a smaller. Of each class, the
    rarest first, units are added until there are as many as asked for, or no more; a unit of several classes
    counts for each, so a common class may have more.
    """
    smallest = np.full(len(indicator), np.nan)
    order = np.random.default_rng(seed).permutation(len(indicator))
    order = order[np.argsort(indicator[order].sum(axis=1), kind="stable")]  # those of few classes first
    rarest_first = np.argsort(indicator.sum(axis=0), kind="stable")
    for count in sorted(shots):
        for label in rarest_first:
            having = order[indicator[order, label]]
            new = having[np.isnan(smallest[having])]
            smallest[new[: max(0, count - (len(having) - len(new)))]] = count
    return smallest
