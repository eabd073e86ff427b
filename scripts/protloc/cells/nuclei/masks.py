"""Plain things that masks of nuclei need: their holes filled, their specks taken away."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def filled(mask: np.ndarray, most: float, not_here: np.ndarray | None = None) -> np.ndarray:
    """The mask (height, width) and its holes of up to `most` px, save those with a pixel of `not_here`."""
    labels, count = ndimage.label(~mask)
    fill = np.bincount(labels.ravel(), minlength=count + 1) <= most
    if not_here is not None:
        fill[labels[not_here]] = False
    fill[0] = False
    return mask | fill[labels]


def without_specks(mask: np.ndarray, least: float) -> np.ndarray:
    """The mask without parts of fewer than `least` px."""
    labels, _ = ndimage.label(mask)
    keep = np.bincount(labels.ravel()) >= least
    keep[0] = False
    return keep[labels]
