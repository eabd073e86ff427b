"""Exact nearest neighbours by cosine similarity, among those that share no group with the query."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from protloc.knn.units import Cosine, Units

CHUNK = 256  # dimensions summed at once: the shorter a sum, the smaller its error
TILE = 2048  # cells of the gallery multiplied at once: their products stay in the processor's cache


@dataclass(frozen=True)
class Neighbours:
    """The nearest of some queries, near to far, and their cosines: int64 and float64 (queries, count)."""

    rows: np.ndarray
    similarity: np.ndarray


class Search:
    """Unit vectors and, by name, groups that neighbours may not share with their query: int64 (cells,)."""

    def __init__(self, units: Units, groups: Mapping[str, np.ndarray], count: int) -> None:
        self.units, self.groups, self.count = units, groups, count
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.set_num_threads(1)  # blocks run side by side
        torch.set_float32_matmul_precision("highest")  # TF32 would break the bound on the error
        self._high = torch.from_numpy(units.high).to(self.device)
        self._error = error_bound(units.high.shape[1])

    def nearest(self, queries: range) -> dict[str, Neighbours]:
        """The `count` nearest of each query under each grouping; of equally similar ones the first rows.

        Each gallery must hold that many. Float32 similarities only tell what cannot be among them.
        """
        coarse, cosine = self._coarse(queries), Cosine(self.units)
        found = [self._of_query(row, similar, cosine) for row, similar in zip(queries, coarse, strict=True)]
        return {
            name: Neighbours(*(np.stack(part) for part in zip(*(of[name] for of in found), strict=True)))
            for name in self.groups
        }

    def _coarse(self, queries: range) -> np.ndarray:
        """Float32 similarities (queries, cells), each within the bound of the exact one."""
        mine = self._high[queries.start : queries.stop]
        result = torch.zeros(len(mine), len(self._high), device=self.device)
        for tile in (slice(start, start + TILE) for start in range(0, len(self._high), TILE)):
            for start in range(0, mine.shape[1], CHUNK):
                part = slice(start, start + CHUNK)
                result[:, tile] += mine[:, part] @ self._high[tile, part].T
        return result.cpu().numpy()

    def _of_query(
        self, row: int, coarse: np.ndarray, cosine: Cosine
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Rows and similarities by grouping, all near enough for the gallery that shares no group at all."""
        apart = np.all([group != group[row] for group in self.groups.values()], axis=0)
        last = np.partition(coarse[apart], -self.count)[-self.count]
        rows = np.flatnonzero(coarse >= last - 2 * self._error)
        exact = cosine(row, rows)
        order = np.argsort(-exact, kind="stable")
        rows, exact = rows[order], exact[order]
        found = {}
        for name, group in self.groups.items():
            kept = np.flatnonzero(group[rows] != group[row])[: self.count]
            found[name] = (rows[kept], exact[kept])
        return found


def error_bound(dimension: int) -> float:
    """How far a coarse similarity can be from the exact one.

    A float32 sum is off by at most 2^-24 of the sum of its terms' sizes, here at most 1, for each rounding on
    a term's way (Higham 2002, section 3.1): those of its chunk and one for each chunk. The low parts
    that it leaves out come to sqrt(dimension) roundings, the threshold's own to two.
    """
    roundings = min(CHUNK, dimension) + math.ceil(dimension / CHUNK) + math.sqrt(dimension) + 2
    return 1.01 * roundings * 2.0**-24  # 1 % for the products of errors
