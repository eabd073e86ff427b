"""One run of nearest neighbours: the cells that are drawn vote on each other, under every grouping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from protloc.errors import InputError
from protloc.knn.search import Search
from protloc.knn.units import unit_vectors
from protloc.knn.votes import plain, weighted
from protloc.leakage import GROUPS
from protloc.parallel import in_order
from protloc.progress import progress

APART = {**GROUPS, "cell": "cell_id"}
LISTED = 10  # neighbours whose names are kept
LARGEST_BLOCK = 512  # queries; more gain nothing
VOTE_BYTES = 136  # a neighbour's row and similarity, twice under three groupings, and its ballot


class Run:
    """The cells of a run, sorted by cell_id: each is a query, and in the gallery of others.

    `vectors` are float32 (cells, dimension), `k` is sorted, `count` neighbours of each are looked for.
    """

    def __init__(
        self,
        cells: pd.DataFrame,
        vectors: np.ndarray,
        k: Sequence[int],
        count: int,
        temperature: float,
        apart: Sequence[str],
    ) -> None:
        self.cells, self.k, self.temperature = cells, list(k), temperature
        self.labels, self.classes = pd.factorize(cells["label"], sort=True)
        groups = {unit: pd.factorize(cells[APART[unit]])[0] for unit in apart}
        self.search = Search(unit_vectors(vectors, cells["cell_id"].to_list()), groups, count)
        votes, listed = (len(cells), len(k)), (len(cells), min(LISTED, count))
        # Blocks write into these: objects that each left behind would break up the memory that others reuse.
        self.found = {
            unit: {
                "plain": np.empty(votes, np.int64),
                "weighted": np.empty(votes, np.int64),
                "nearest": np.empty(listed, np.int64),
                "similarity": np.empty(listed, np.float32),
            }
            for unit in apart
        }

    def vote(self, memory_mb: int, threads: int) -> None:
        """Find what all neighbours vote, `threads` blocks of queries at a time.

        Raises InputError if `memory_mb` do not hold the similarities of a query on each thread.
        """
        bytes_each = threads * (4 * len(self.cells) + VOTE_BYTES * self.search.count)
        size = min(LARGEST_BLOCK, memory_mb * 10**6 // bytes_each)
        if size == 0:
            raise InputError(
                f"knn.memory_mb: {memory_mb} MB do not hold the similarities of a cell on each of {threads} "
                f"threads; give at least {-(-bytes_each // 10**6)}"
            )
        starts = range(0, len(self.cells), size)
        blocks = (range(start, min(start + size, len(self.cells))) for start in starts)
        done = in_order(self._vote_on, blocks, workers=threads, ahead=threads)
        for _ in progress(done, total=len(starts), unit="blocks of cells"):
            pass

    def _vote_on(self, queries: range) -> None:
        rows, kinds = slice(queries.start, queries.stop), len(self.classes)
        for unit, near in self.search.nearest(queries).items():
            labels, found = self.labels[near.rows], self.found[unit]
            found["plain"][rows] = plain(labels, self.k, kinds)
            found["weighted"][rows] = weighted(labels, near.similarity, self.k, kinds, self.temperature)
            found["nearest"][rows] = near.rows[:, :LISTED]
            found["similarity"][rows] = near.similarity[:, :LISTED]

    def table(self, unit: str) -> pd.DataFrame:
        """Rows of `neighbours` with `unit` kept apart, without label policy and seed."""
        found, ids = self.found[unit], self.cells["cell_id"].to_numpy(object)
        classes = self.classes.to_numpy(object)
        return self.cells[["cell_id", "gene", "fov_id", "padded_fraction"]].assign(
            apart=unit,
            truth=self.cells["label"],
            k=[self.k] * len(self.cells),
            plain=list(classes[found["plain"]]),
            weighted=list(classes[found["weighted"]]),
            nearest=list(ids[found["nearest"]]),
            similarity=list(found["similarity"]),
        )
