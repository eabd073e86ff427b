"""Unit vectors whose cosine similarities do not depend on the order in which they are summed.

A component is rounded to a multiple of 2^-24, and what is left of it to one of 2^-46: both parts fit float32.
The products of two parts and the sums of any of them fit the 53 bits of float64 (up to 2^15 dimensions). So a
dot product of parts is exact, whatever a library, a block or a thread makes of its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protloc.errors import InputError

STEPS = (2.0**24, 2.0**46)
PIECE = 64  # vectors that are widened to float64 at once: they stay in the processor's cache


@dataclass(frozen=True)
class Units:
    """The parts of unit vectors, float32 (cells, dimension) each, that add up to them within 2^-47."""

    high: np.ndarray
    low: np.ndarray


class Cosine:
    """Similarities between some units, for one thread: it has the room in which vectors are widened."""

    def __init__(self, units: Units) -> None:
        shape = (PIECE, units.high.shape[1])
        self.units, self._narrow, self._wide = units, np.empty(shape, np.float32), np.empty(shape)

    def __call__(self, row: int, others: np.ndarray) -> np.ndarray:
        """Cosine of the vector `row` with each of `others` (rows), float64, equal in either direction.

        The product of the two low parts is left out and the sum of the other three is rounded once, so it is
        within sqrt(dimension) 2^-46 + dimension 2^-50 of the true one, usually within 1e-13.
        """
        high, low = (part[row].astype(np.float64) for part in (self.units.high, self.units.low))
        result = np.empty(len(others))
        for start in range(0, len(others), PIECE):
            piece = others[start : start + PIECE]
            wide = self._widened(self.units.high, piece)
            coarse, cross = wide @ high, wide @ low
            cross += self._widened(self.units.low, piece) @ high
            result[start : start + PIECE] = coarse + cross
        return result

    def _widened(self, part: np.ndarray, rows: np.ndarray) -> np.ndarray:
        narrow, wide = self._narrow[: len(rows)], self._wide[: len(rows)]
        np.take(part, rows, axis=0, out=narrow, mode="clip")  # no row is outside: `raise` would take a copy
        np.copyto(wide, narrow)
        return wide


def unit_vectors(vectors: np.ndarray, names: Sequence[str]) -> Units:
    """The parts of the L2-normalized `vectors`, float32 (cells, dimension).

    Raises InputError for a vector that points nowhere, of zeros or not finite, with its name.
    """
    parts = Units(np.empty_like(vectors), np.empty_like(vectors))
    for start in range(0, len(vectors), PIECE):
        rows = slice(start, start + PIECE)
        wide = vectors[rows].astype(np.float64)
        length = np.linalg.norm(wide, axis=1, keepdims=True)
        pointing = (length > 0) & (length < np.inf)
        if not pointing.all():
            name = names[start + int(np.argmin(pointing))]
            raise InputError(
                f"embedding: the vector of {name} is zero or not finite, so it has no direction; leave the "
                f"backbone out of cells.backbones"
            )
        wide /= length
        parts.high[rows] = np.rint(wide * STEPS[0]) / STEPS[0]
        parts.low[rows] = np.rint((wide - parts.high[rows]) * STEPS[1]) / STEPS[1]
    return parts
