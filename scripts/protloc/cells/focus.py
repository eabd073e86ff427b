"""How sharp the rims of nuclei are."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SMOOTHING = 1.2  # px, about a microscope's own blur: noise must not count as an edge
LEAST = 0.5  # rim that adjoins background, px, over the root of the area; a whole rim has about 4


def rim_blur(nuclei: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The width of each nucleus' rim, float64 (labels,), px; NaN where neighbours hide nearly all of it.

    It is the standard deviation of the Gaussian that blurs a step of the same height to the slope found at
    the outline, height / (slope * root of 2 pi), where the outline lies at half of the height. Labels 1 to n
    in order; counts uint16 (height, width), whose smoothing by SMOOTHING is taken off again.
    """
    length = int(nuclei.max(initial=0)) + 1
    smooth = ndimage.gaussian_filter(counts.astype(np.float32), SMOOTHING)
    slope = np.hypot(*(ndimage.correlate1d(smooth, (-0.5, 0, 0.5), axis) for axis in (0, 1)))
    inner, outer = _rim(nuclei)
    where = nuclei.ravel()[inner]
    rim = np.bincount(where, minlength=length)
    half, steep = (
        np.bincount(where, weights=values[inner] / 2 + values[outer] / 2, minlength=length)
        / np.maximum(rim, 1)
        for values in (smooth.ravel(), slope.ravel())
    )
    area = np.bincount(nuclei.ravel(), minlength=length)
    inside = np.bincount(nuclei.ravel(), weights=smooth.ravel(), minlength=length) / np.maximum(area, 1)
    height = 2 * np.maximum(inside - half, 0)
    width = height / np.maximum(np.sqrt(2 * np.pi) * steep, 1e-6)
    own = np.sqrt(np.maximum(width**2 - SMOOTHING**2, 0))
    return np.where(rim >= LEAST * np.sqrt(area), own, np.nan)[1:]


def _rim(nuclei: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of nuclei that background adjoins, and that background, side by side: flat indices."""
    index, found = np.arange(nuclei.size).reshape(nuclei.shape), nuclei > 0
    pairs = []
    for low, high in (np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:]):
        for inner, outer in ((low, high), (high, low)):
            free = found[inner] & ~found[outer]
            pairs.append((index[inner][free], index[outer][free]))
    inner, outer = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return inner, outer
