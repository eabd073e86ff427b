"""Label images whose numbers do not depend on how they were found."""

from __future__ import annotations

import numpy as np


def in_reading_order(labels: np.ndarray) -> np.ndarray:
    """The same objects, numbered 1 to n by their first pixel, row by row; int32, 0 stays background."""
    found, first, place = np.unique(labels, return_index=True, return_inverse=True)
    objects = np.flatnonzero(found > 0)
    number = np.zeros(len(found), np.int32)
    number[objects[np.argsort(first[objects])]] = np.arange(1, len(objects) + 1)
    return number[place].reshape(labels.shape)
