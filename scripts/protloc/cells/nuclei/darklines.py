"""Shapes that are little like a nucleus, cut along the dark lines in them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from protloc.cells.nuclei.ellipse import likeness, moments
from protloc.cells.nuclei.fragments import cut_at_necks
from protloc.cells.nuclei.light import AREA
from protloc.cells.nuclei.merging import merge

DOUBTFUL = 0.6  # likeness below which a shape is tried
LEAST = 0.5  # of a nucleus' area
GAIN = 1.1  # so much more must the parts be worth than the whole
FINE, COARSE = 1.0, 8.0  # px: what is darker on the fine scale than on the coarse one is a line
CUT_SMOOTHING = 0.7  # px


def cut_at_dark_lines(labels: np.ndarray, own: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """The labels int32 (height, width), where that makes better nuclei cut; parts get new numbers.

    own: the light, float32; rim: the field's outermost pixels. Inside a nucleus there are dark lines too, so
    only shapes that are doubtful anyway are tried.
    """
    labels, sums, last = labels.copy(), moments(labels, rim), int(labels.max())
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        area, worth = sums[label, 0], sums[label, 0] * likeness(sums[label].tolist())
        if worth > DOUBTFUL * area or area < LEAST * AREA:
            continue
        parts, worth_of_parts = _parts(labels[box] == label, own[box], rim[box])
        if worth_of_parts > GAIN * worth:
            others = parts > 1
            labels[box][others] = last + parts[others] - 1
            last += int(parts.max()) - 1
    return labels


def _parts(shape: np.ndarray, own: np.ndarray, rim: np.ndarray) -> tuple[np.ndarray, float]:
    """Labels of the parts of a shape, and their worth; arrays of a box around it."""
    shape, own, rim = (np.pad(array, 1) for array in (shape, own, rim))  # the box is an edge, too
    bright = shape & (_mean_within(shape, own, FINE) > _mean_within(shape, own, COARSE))
    parts, worth = merge(cut_at_necks(bright, shape, CUT_SMOOTHING), rim)
    return parts[1:-1, 1:-1], worth


def _mean_within(shape: np.ndarray, own: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian mean that knows nothing of what lies outside the shape."""
    weight = ndimage.gaussian_filter(shape.astype(np.float32), sigma, truncate=3)
    return ndimage.gaussian_filter(own * shape, sigma, truncate=3) / np.maximum(weight, 1e-6)
