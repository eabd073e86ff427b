"""The light of the nuclei, told from what lies around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

DIAMETER = 26  # px of a nucleus in the images worked on: coarse enough to be fast and blind to texture
AREA = np.pi / 4 * DIAMETER**2  # px², the same
SMOOTHING = 1.0  # px
DARKEST = 1  # percentile that is background even where nuclei cover nearly all of a field
DEVIATION = 1.4826  # of a normal distribution, in units of its median absolute deviation


@dataclass(frozen=True)
class Light:
    """A nucleus channel in which nuclei are DIAMETER px wide: maps float32 (height, width), all in counts.

    total: above the darkest of the field; own: above the haze around, too; around: mean of `own` within about
    a nucleus; typical: mean of what is bright; noise: standard deviation of the background.
    """

    total: np.ndarray
    own: np.ndarray
    around: np.ndarray
    typical: float
    noise: float


def light_of(image: np.ndarray) -> Light:
    """The light of a nucleus channel at that scale, float32 (height, width)."""
    smooth = ndimage.gaussian_filter(image, SMOOTHING)
    total = smooth - np.percentile(smooth, DARKEST)
    dark = total <= np.median(total)
    noise = DEVIATION * float(np.median(np.abs(image - smooth)[dark]))
    haze = ndimage.uniform_filter(ndimage.minimum_filter(total, 3 * DIAMETER), 2 * DIAMETER)
    own = np.maximum(total - haze, 0)
    return Light(total, own, ndimage.uniform_filter(own, 2 * DIAMETER), _typical(own), noise)


def _typical(light: np.ndarray) -> float:
    """The mean of what is bright; by the root, since a few very bright nuclei would hide the others."""
    root = np.sqrt(light)
    if root.min() == root.max():
        return 0.0
    return float(light[root > threshold_otsu(root)].mean())
