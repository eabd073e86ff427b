"""Nuclei with smooth outlines, at the scale of the field."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from protloc.cells.nuclei.scale import interpolated

SMOOTHING = 1.0  # px
MARGIN = 4  # px


def outlined(labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The labels int32 at the scale of the field, `shape`: smoothed; of two the one with the larger share."""
    result, share = np.zeros(shape, np.int32), np.full(shape, 0.5, np.float32)
    wide = np.pad(labels, MARGIN, mode="edge")  # nuclei go on beyond the field
    rows, columns = (
        (np.arange(fine) + 0.5) * coarse / fine - 0.5
        for fine, coarse in zip(shape, labels.shape, strict=True)
    )
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None:
            continue
        soft = _soft(wide, label, box)
        (top, bottom), (left, right) = ((side.start - MARGIN, side.stop + MARGIN) for side in box)
        here = slice(*np.searchsorted(rows, [top, bottom])), slice(*np.searchsorted(columns, [left, right]))
        own = interpolated(soft, rows[here[0]] - top, columns[here[1]] - left)
        most = own > share[here]
        result[here][most], share[here][most] = label, own[most]
    return result


def _soft(labels: np.ndarray, label: int, box: tuple[slice, slice]) -> np.ndarray:
    """A shape, smoothed, float32, with a margin around its box; `labels` have that margin already."""
    shape = labels[tuple(slice(side.start, side.stop + 2 * MARGIN) for side in box)] == label
    return ndimage.gaussian_filter(shape.astype(np.float32), SMOOTHING, truncate=3)
