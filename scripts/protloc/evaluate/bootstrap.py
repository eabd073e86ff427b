"""Draws of proteins (Efron 1979), the same for all runs: fields of one protein are not independent."""

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
    """How often each protein is drawn, float32 (proteins, draws), the same for equal `setting`."""
    return _weights(proteins, draws, tuple(setting))


@lru_cache(maxsize=16)  # routes share their settings
def _weights(proteins: int, draws: int, setting: tuple[str, ...]) -> np.ndarray:
    rng = np.random.default_rng(int(sha256_value(list(setting)), 16))
    drawn = rng.multinomial(proteins, np.full(proteins, 1 / proteins), size=draws)
    return np.ascontiguousarray(drawn.T, dtype=np.float32)


def by_protein(run: Level, genes: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """Counts summed over each protein's rows: float32 (proteins, 3, classes), 0 where the run has none.

    `counts` (rows, 3, classes) are the run's own, or others of its rows.
    """
    counts = run.counts if counts is None else counts
    of = np.searchsorted(genes, run.genes.astype(str))
    order = np.argsort(of, kind="stable")
    own, starts = np.unique(of[order], return_index=True)
    sums = np.zeros((len(genes), *counts.shape[1:]), dtype=np.float32)
    sums[own] = np.add.reduceat(counts[order], starts)
    return sums


def resample(counts: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
    """Each metric of a run in each draw, float64 (draws, …); NaN in a draw with none of its proteins.

    `counts` (proteins, …, 3, classes) are sums by protein, for one setting or for several at once; `drawn`
    are weights.
    """
    flat = counts.reshape(len(counts), -1).astype(np.float32)
    own = flat.any(axis=1)  # a run tests a part of the study's proteins: the others add nothing
    sums = flat[own].T @ drawn[own]  # integers below 2^24: exact in any order
    sums = np.moveaxis(sums.reshape(*counts.shape[1:], drawn.shape[1]), -1, 0)
    empty = sums.sum(axis=(-2, -1)) == 0
    return {name: np.where(empty, np.nan, metric(sums)) for name, metric in METRICS.items()}


def mean_of_runs(resampled: np.ndarray) -> np.ndarray:
    """The mean over runs in each draw: (draws, …) of (runs, draws, …), of the runs that are in the draw."""
    there = ~np.isnan(resampled)
    summed = np.where(there, resampled, 0).sum(axis=0, dtype=float)
    runs = there.sum(axis=0)
    return np.divide(summed, runs, out=np.full(runs.shape, np.nan), where=runs > 0)


def interval(resampled: np.ndarray) -> np.ndarray:
    """The two bounds (2, …) of the mean over runs, a 95 % interval by percentiles, of (runs, draws, …).

    Draws in which no run has a protein do not count.
    """
    return np.nanpercentile(mean_of_runs(resampled), PERCENTILES, axis=0)
