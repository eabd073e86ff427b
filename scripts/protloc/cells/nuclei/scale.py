"""Images at a coarser scale, and back."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array


def area_average(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The means of equal rectangles that tile an image (height, width): float32 of the given shape.

    Exact for every shape, so that nothing depends on where a grid of samples falls.
    """
    rows = _slices(image.shape[0], shape[0]) @ image.astype(np.float64)
    return np.ascontiguousarray((_slices(image.shape[1], shape[1]) @ rows.T).T, dtype=np.float32)


def interpolation(at: np.ndarray, count: int) -> np.ndarray:
    """The matrix float32 (positions, count) that interpolates `count` samples linearly at positions `at`."""
    left = np.clip(np.floor(at).astype(int), 0, count - 2)
    part = (at - left).astype(np.float32)
    matrix = np.zeros((len(at), count), np.float32)
    row = np.arange(len(at))
    matrix[row, left], matrix[row, left + 1] = 1 - part, part
    return matrix


def _slices(count: int, parts: int) -> csr_array:
    """The matrix (parts, count) that takes the means of `parts` equal slices of `count` samples."""
    edges = np.union1d(np.arange(count + 1), np.linspace(0, count, parts + 1))
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    part, sample = (middle * parts / count).astype(int), middle.astype(int)
    return csr_array((width * parts / count, (part, sample)), shape=(parts, count))
