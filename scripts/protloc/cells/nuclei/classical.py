"""Nuclei without weights: a threshold, and a watershed on the distance to the rim."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from protloc.cells.nuclei.labels import in_reading_order

DIAMETER_UM = 15.0


def find_nuclei(nucleus: np.ndarray, pixel_size_um: float) -> np.ndarray:
    """Labels int32 (height, width), 0 is background, of the counts uint16 (height, width)."""
    if nucleus.min() == nucleus.max():
        return np.zeros(nucleus.shape, np.int32)
    radius = DIAMETER_UM / pixel_size_um / 2
    smooth = ndimage.gaussian_filter(np.log(nucleus + 1.0), radius / 12)
    mask = ndimage.binary_fill_holes(smooth > threshold_otsu(smooth))
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), radius / 6)
    peaks = peak_local_max(depth, min_distance=max(1, round(radius / 2)), labels=mask.astype(int))
    markers = np.zeros(nucleus.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return in_reading_order(watershed(-depth, markers, mask=mask))
