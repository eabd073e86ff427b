"""Intervals by bootstrap over proteins (Efron 1979): fields of one protein are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from protloc.evaluate.f1 import macro_of_present, micro
from protloc.evaluate.levels import Level
from protloc.hashing import sha256_value

PERCENTILES = (2.5, 97.5)
# A draw misses some of the classes with few proteins. Counted as 0, they would pull every interval down.
METRICS = {"macro_f1": macro_of_present, "micro_f1": micro}


def weights(proteins: int, draws: int, setting: Sequence[str]) -> np.ndarray:
    """How often each protein is drawn, float64 (draws, proteins), the same for equal `setting`."""
    return _weights(proteins, draws, tuple(setting))


@lru_cache(maxsize=16)  # routes share their settings
def _weights(proteins: int, draws: int, setting: tuple[str, ...]) -> np.ndarray:
    rng = np.random.default_rng(int(sha256_value(list(setting)), 16))
    return rng.multinomial(proteins, np.full(proteins, 1 / proteins), size=draws).astype(np.float64)


def by_protein(runs: Sequence[Level], genes: np.ndarray) -> np.ndarray:
    """Counts summed over each protein's rows: float64 (runs, proteins, 3, classes), 0 where it has none."""
    sums = np.zeros((len(runs), len(genes), *runs[0].counts.shape[1:]))
    for of_run, run in zip(sums, runs, strict=True):
        np.add.at(of_run, np.searchsorted(genes, run.genes.astype(str)), run.counts)
    return sums


def intervals(counts: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
    """The two bounds (2, …) of each metric's mean over runs: a 95 % interval.

    `counts` (runs, proteins, …, 3, classes) are sums by protein, for one setting or for several at once;
    `drawn` are weights. A run with none of its proteins in a draw does not count there.
    """
    runs, proteins, *shape = counts.shape
    flat = np.moveaxis(counts, 1, 0).reshape(proteins, -1)
    resampled = (drawn @ flat).reshape(len(drawn), runs, *shape)  # sums of integers: exact in any order
    empty = resampled.sum(axis=(-2, -1)) == 0
    bounds = {}
    for name, metric in METRICS.items():
        means = np.nanmean(np.where(empty, np.nan, metric(resampled)), axis=1)
        bounds[name] = np.percentile(means, PERCENTILES, axis=0)
    return bounds
