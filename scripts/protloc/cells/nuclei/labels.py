"""What label images need: shapes in one piece, and numbers that do not depend on how they were found."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.measure import label


def in_one_piece(labels: np.ndarray) -> np.ndarray:
    """Of each label only the largest connected piece, the first in reading order of equal ones."""
    pieces = label(labels, connectivity=1, background=0)
    size = np.bincount(pieces.ravel())
    owner = np.zeros(len(size), labels.dtype)
    owner[pieces] = labels
    order = np.lexsort((np.arange(len(size)), -size, owner))
    _, first = np.unique(owner[order], return_index=True)
    keep = np.zeros(len(size), bool)
    keep[order[first]] = True
    return np.where(keep[pieces], labels, 0)


def nearest_within(labels: np.ndarray, reach: float) -> np.ndarray:
    """Each label (height, width), and the pixels within `reach` px that are nearest to it."""
    away, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    return np.where(away <= reach, labels[tuple(nearest)], 0)


def without_bites(labels: np.ndarray, radius: int) -> np.ndarray:
    """The labels (height, width) with their own bays of up to this radius, px, and their holes filled.

    What lies between two labels stays as it is. Shapes go on beyond the edge.
    """
    wide = np.pad(labels, radius + 1, mode="edge")
    grown = nearest_within(wide, radius)
    same = (ndimage.maximum_filter(grown, 3) == grown) & (ndimage.minimum_filter(grown, 3) == grown)
    closed = ndimage.binary_erosion(same & (grown > 0), iterations=radius - 1)
    wide = np.where((wide == 0) & closed, grown, wide)
    return _without_holes(wide[radius + 1 : -radius - 1, radius + 1 : -radius - 1])


def _without_holes(labels: np.ndarray) -> np.ndarray:
    """The labels, with what a single one encloses."""
    holes, _ = ndimage.label(labels == 0)
    labels = labels.copy()
    for number, (rows, columns) in enumerate(ndimage.find_objects(holes), 1):
        if (
            0 in (rows.start, columns.start)
            or rows.stop == labels.shape[0]
            or columns.stop == labels.shape[1]
        ):
            continue
        around = slice(rows.start - 1, rows.stop + 1), slice(columns.start - 1, columns.stop + 1)
        hole = holes[around] == number
        beside = labels[around][ndimage.binary_dilation(hole) & ~hole]
        if (beside == beside[0]).all():
            labels[around][hole] = beside[0]
    return labels


def in_reading_order(labels: np.ndarray) -> np.ndarray:
    """The same objects, numbered 1 to n by their first pixel, row by row; int32, 0 stays background."""
    flat = labels.ravel()
    first = np.full(int(flat.max(initial=0)) + 1, flat.size)
    first[flat[::-1]] = np.arange(flat.size)[::-1]  # of several pixels of a label the last one assigned stays
    objects = np.flatnonzero(first[1:] < flat.size) + 1
    number = np.zeros(len(first), np.int32)
    number[objects[np.argsort(first[objects])]] = np.arange(1, len(objects) + 1)
    return number[labels]
