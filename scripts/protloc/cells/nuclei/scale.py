"""Images at a coarser scale, and back."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array


def area_average(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The means of equal rectangles that tile an image (height, width): float32 of the given shape.

    Exact for every shape, so that nothing depends on where a grid of samples falls.
    """
    rows = _slices(image.shape[0], shape[0]) @ image.astype(np.float64)
    return np.ascontiguousarray((_slices(image.shape[1], shape[1]) @ rows.T).T, dtype=np.float32)


def interpolated(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """An image's values, linear between pixel centres, at each of these rows and columns (positions, px)."""
    return _between(_between(image, rows).T, columns).T


@lru_cache(maxsize=256)
def _slices(count: int, parts: int) -> csr_array:
    """The matrix (parts, count) that takes the means of `parts` equal slices of `count` samples."""
    edges = np.union1d(np.arange(count + 1), np.linspace(0, count, parts + 1))
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    part, sample = (middle * parts / count).astype(int), middle.astype(int)
    return csr_array((width * parts / count, (part, sample)), shape=(parts, count))


def _between(image: np.ndarray, rows: np.ndarray) -> np.ndarray:
    above = np.clip(np.floor(rows).astype(int), 0, len(image) - 2)
    part = (rows - above).astype(np.float32)[:, None]
    return image[above] * (1 - part) + image[above + 1] * part
