"""All runs of nearest neighbours on one embedding file: every label policy and seed, every grouping and k."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from protloc.draw import draw
from protloc.errors import InputError
from protloc.knn.run import APART, LISTED, Run


def knn_runs(
    names: Sequence[str],
    vectors: np.ndarray,
    labels: pd.DataFrame,
    *,
    k: Sequence[int],
    temperature: float,
    apart: Sequence[str],
    cells_per_protein: int | None,
    seeds: Sequence[int],
    memory_mb: int,
    threads: int,
) -> Iterator[pd.DataFrame]:
    """Yield the rows of `neighbours` of each run.

    `names` are the cells of the float32 `vectors` (cells, dimension), `labels` is `cell_labels` with the
    column padded_fraction. A k larger than some gallery of a label policy is left out of all its runs and
    reported: policies differ in size, and the small one should not stop the large one. Raises InputError if a
    policy keeps no cell or no k, or if a vector is zero.
    """
    position = pd.Series(np.arange(len(names)), index=pd.Index(names))
    for policy, of_policy in labels.groupby("label_policy"):
        cells = _with_vector(of_policy, position.index, policy)
        draws = {seed: draw(cells, cells_per_protein, seed) for seed in sorted(seeds)}
        smallest = min(_smallest_gallery(drawn, apart) for drawn in draws.values())
        possible = _possible(k, smallest, policy)
        for seed, drawn in draws.items():
            logging.info("%s labels, seed %d: %d cells", policy, seed, len(drawn))
            count = max(possible[-1], min(LISTED, smallest))
            run = Run(drawn, vectors[position[drawn["cell_id"]]], possible, count, temperature, apart)
            run.vote(memory_mb, threads)
            for unit in apart:
                yield run.table(unit).assign(label_policy=policy, seed=seed)


def _with_vector(cells: pd.DataFrame, names: pd.Index, policy: str) -> pd.DataFrame:
    """The labelled cells that are embedded; how many are not is in the log."""
    kept = cells[cells["cell_id"].isin(names)]
    logging.info("%s labels: %d of %d labelled cells have a vector", policy, len(kept), len(cells))
    if kept.empty:
        raise InputError(
            f"cell_labels: none of the {len(cells)} cells of label policy {policy} is embedded; see kept in "
            f"cells.parquet"
        )
    return kept


def _smallest_gallery(cells: pd.DataFrame, apart: Sequence[str]) -> int:
    """How many neighbours the cell with the largest group can have."""
    return len(cells) - max(int(cells[APART[unit]].value_counts().max()) for unit in apart)


def _possible(k: Sequence[int], smallest: int, policy: str) -> list[int]:
    """The sorted k for which every cell has neighbours, in all runs of a policy."""
    possible = sorted(value for value in k if value <= smallest)
    if not possible:
        raise InputError(
            f"knn.k: {min(k)} neighbours are asked for, but under label policy {policy} a cell has only "
            f"{smallest} to choose from; lower knn.k or label more cells"
        )
    left_out = sorted(set(k) - set(possible))
    if left_out:
        listed = ", ".join(map(str, left_out))
        logging.warning(
            "%s labels: k %s left out, a cell has only %d neighbours to choose from", policy, listed, smallest
        )
    return possible
