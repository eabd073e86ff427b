"""All runs of nearest neighbours on one embedding file: every label policy and seed, every grouping and k."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from protloc.errors import InputError
from protloc.knn.draw import draw
from protloc.knn.search import Neighbours, Search
from protloc.knn.units import unit_vectors
from protloc.knn.votes import plain, weighted
from protloc.leakage import GROUPS
from protloc.parallel import in_order
from protloc.progress import progress

APART = {**GROUPS, "cell": "cell_id"}
LISTED = 10  # neighbours whose names are kept
LARGEST_BLOCK = 512  # queries; more gain nothing


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
    """Yield rows of `neighbours`, a block of queries at a time, for each run.

    `names` are the cells of the float32 `vectors` (cells, dimension), `labels` is the table `cell_labels`. A
    k larger than some gallery of a label policy is left out of all its runs and reported: policies differ in
    size, and the small one should not stop the large one. Raises InputError if a policy keeps no cell or no
    k, or if a vector is zero.
    """
    position = pd.Series(np.arange(len(names)), index=pd.Index(names))
    for policy, of_policy in labels.groupby("label_policy"):
        cells = _with_vector(of_policy, position.index, policy)
        draws = {seed: draw(cells, cells_per_protein, seed) for seed in sorted(seeds)}
        possible = _possible(k, draws, apart, policy)
        for seed, drawn in draws.items():
            logging.info("%s labels, seed %d: %d cells", policy, seed, len(drawn))
            run = Run(drawn, vectors[position[drawn["cell_id"]]], possible, temperature, apart)
            for rows in run.rows(memory_mb, threads):
                yield rows.assign(label_policy=policy, seed=seed)


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


def _possible(
    k: Sequence[int], draws: Mapping[int, pd.DataFrame], apart: Sequence[str], policy: str
) -> list[int]:
    """The sorted k for which every cell has neighbours, in all runs of a policy."""
    smallest = min(
        len(cells) - int(cells[APART[unit]].value_counts().max())
        for cells in draws.values()
        for unit in apart
    )
    possible = sorted(value for value in k if value <= smallest)
    if not possible:
        raise InputError(
            f"knn.k: {min(k)} neighbours are asked for, but under label policy {policy} a cell has only "
            f"{smallest} that are {' and '.join(apart)} apart; lower knn.k or label more"
        )
    left_out = sorted(set(k) - set(possible))
    if left_out:
        listed = ", ".join(map(str, left_out))
        logging.warning(
            "%s labels: k %s left out, a cell has only %d neighbours to choose from", policy, listed, smallest
        )
    return possible


class Run:
    """The cells that are drawn, sorted by cell_id: each is a query, and in the gallery of the others."""

    def __init__(
        self,
        cells: pd.DataFrame,
        vectors: np.ndarray,
        k: Sequence[int],
        temperature: float,
        apart: Sequence[str],
    ) -> None:
        self.cells, self.k, self.temperature = cells, list(k), temperature
        self.labels, self.classes = pd.factorize(cells["label"], sort=True)
        groups = {unit: pd.factorize(cells[APART[unit]])[0] for unit in apart}
        self.search = Search(unit_vectors(vectors, cells["cell_id"].to_list()), groups, max(k))

    def rows(self, memory_mb: int, threads: int) -> Iterator[pd.DataFrame]:
        """Yield a block's rows under every grouping, from `threads` blocks at a time."""
        size = self._block_size(memory_mb, threads)
        starts = range(0, len(self.cells), size)
        blocks = (range(start, min(start + size, len(self.cells))) for start in starts)
        done = in_order(self._of_block, blocks, workers=threads, ahead=threads)
        for _, rows in progress(done, total=len(starts), unit="blocks of cells"):
            yield rows

    def _block_size(self, memory_mb: int, threads: int) -> int:
        """How many queries a thread takes: of each, float32 similarities and float64 votes, twice."""
        bytes_each = 4 * len(self.cells) + 16 * self.k[-1] * len(self.classes)
        size = min(LARGEST_BLOCK, memory_mb * 10**6 // (threads * bytes_each))
        if size == 0:
            raise InputError(
                f"knn.memory_mb: {memory_mb} MB do not hold the similarities of a cell on each of {threads} "
                f"threads; give at least {-(-threads * bytes_each // 10**6)}"
            )
        return size

    def _of_block(self, queries: range) -> pd.DataFrame:
        nearest = self.search.nearest(queries)
        return pd.concat(
            (self._table(queries, found).assign(apart=unit) for unit, found in nearest.items()),
            ignore_index=True,
        )

    def _table(self, queries: range, found: Neighbours) -> pd.DataFrame:
        """Rows of `neighbours` for some queries under one grouping."""
        labels, kinds = self.labels[found.rows], len(self.classes)
        votes = {
            "plain": plain(labels, self.k, kinds),
            "weighted": weighted(labels, found.similarity, self.k, kinds, self.temperature),
        }
        names, classes = self.cells["cell_id"].to_numpy(object), self.classes.to_numpy(object)
        rows = self.cells.iloc[queries.start : queries.stop]
        return rows[["cell_id", "gene", "fov_id"]].assign(
            truth=rows["label"],
            k=[self.k] * len(rows),
            nearest=list(names[found.rows[:, :LISTED]]),
            similarity=list(found.similarity[:, :LISTED].astype(np.float32)),
            **{name: list(classes[elected]) for name, elected in votes.items()},
        )
