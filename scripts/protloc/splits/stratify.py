"""Stratified assignment of labelled units to shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from iterstrat.ml_stratifiers import IterativeStratification


def stratify(indicator: np.ndarray, shares: Sequence[float], seed: Sequence[int]) -> np.ndarray:
    """The share, an index into `shares`, of each unit, with every label spread as evenly as can be.

    `indicator` is bool (units, labels); shares sum to 1. Iterative stratification after Sechidis, Tsoumakas
    and Vlahavas (ECML PKDD 2011). Ties are broken by `seed`, a list of integers.
    """
    random = np.random.RandomState(seed)
    order = random.permutation(len(indicator))  # the method visits units in order: take none for granted
    assigned = np.empty(len(indicator), dtype=int)
    assigned[order] = IterativeStratification(indicator[order], np.asarray(shares, dtype=float), random)
    return assigned


def nest(indicator: np.ndarray, fractions: Sequence[float], seed: Sequence[int]) -> np.ndarray:
    """For each unit the smallest of `fractions` that holds it; NaN if none does.

    A fraction is drawn from the next larger one. All at once would starve the small ones: the method serves
    the largest share first, and of a class with few units nothing is left.
    """
    smallest = np.full(len(indicator), np.nan)
    inside, size = np.arange(len(indicator)), 1.0
    for step, fraction in enumerate(sorted(fractions, reverse=True)):
        if fraction < size:
            share = fraction / size
            chosen = stratify(indicator[inside], [share, 1 - share], [*seed, 1, step]) == 0
            inside = inside[_covering(indicator[inside], chosen, np.random.default_rng([*seed, 2, step]))]
        smallest[inside], size = fraction, fraction
    return smallest


def _covering(indicator: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`chosen`, bool (units,), with at least one unit of every label.

    Such a unit takes the place of one whose labels were all chosen twice, and is added if there is none.
    """
    chosen = chosen.copy()
    for label in np.argsort(indicator.sum(axis=0), kind="stable"):
        having = rng.permutation(np.flatnonzero(indicator[:, label]))
        if not len(having) or chosen[having].any():
            continue
        spare = (indicator[chosen].sum(axis=0) > 1) | ~indicator
        leaving = np.flatnonzero(chosen & spare.all(axis=1))
        chosen[rng.permutation(leaving)[:1]] = False
        chosen[having[np.argmin(indicator[having].sum(axis=1))]] = True
    return chosen
