"""Where the protein is, as a function of the distance to the rim of the nuclei."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from protloc.embed.features.intensity import correlation

SMOOTHING_UM = 0.6
STEP_UM = 0.4  # distances are measured on a grid about this wide
EDGES_UM = (-4, -3, -2, -1.2, -0.4, 0.4, 1.2, 2, 3, 4, 6, 8)  # negative: inside


def radial(nucleus: np.ndarray, protein: np.ndarray, pixel_size_um: float) -> dict[str, float]:
    """Protein per distance bin over its mean, its unevenness inside and outside, and the nuclei's area share.

    Channels are float32 (height, width) above background. Where there is no nucleus or nothing else, every
    bin is at the mean.
    """
    step = max(1, round(STEP_UM / pixel_size_um))
    smooth = _thinned(nucleus, SMOOTHING_UM / pixel_size_um, step)
    light = _thinned(protein, step / 2, step)
    inside = smooth > threshold_otsu(smooth) if smooth.min() < smooth.max() else np.zeros(smooth.shape, bool)
    distance = signed_distance(inside) * step * pixel_size_um
    numbers = {f"at_{name}um": value for name, value in _profile(light, distance)}
    return numbers | {
        "unevenness_inside": _unevenness(light[inside]),
        "unevenness_outside": _unevenness(light[~inside]),
        "pearson_inside": correlation(smooth[inside], light[inside]),
        "pearson_outside": correlation(smooth[~inside], light[~inside]),
        "nuclear_area": float(inside.mean()),
    }


def _thinned(image: np.ndarray, sigma: float, step: int) -> np.ndarray:
    """Every `step`-th row and column of the image, smoothed by a Gaussian of `sigma` px."""
    rows = ndimage.gaussian_filter1d(image, sigma, axis=0, truncate=3)[::step]
    return ndimage.gaussian_filter1d(rows, sigma, axis=1, truncate=3)[:, ::step]


def signed_distance(inside: np.ndarray) -> np.ndarray:
    """Distance in px to the rim of a mask, negative inside; endless where there is no rim."""
    if inside.all() or not inside.any():
        return np.full(inside.shape, np.inf)
    rim = 0.5  # the rim lies between two pixels
    outward = ndimage.distance_transform_edt(~inside) - rim
    inward = ndimage.distance_transform_edt(inside) - rim
    return np.where(inside, -inward, outward)


def _profile(light: np.ndarray, distance: np.ndarray) -> list[tuple[str, float]]:
    """(bin, log ratio of its mean light to that of the whole field), bins from the depth outward."""
    number = np.digitize(distance.ravel(), EDGES_UM)
    pixels = np.bincount(number, minlength=len(EDGES_UM) + 1)
    sums = np.bincount(number, weights=light.ravel(), minlength=len(EDGES_UM) + 1)
    mean = max(float(light.mean()), 1.0)
    means = np.where(pixels > 0, sums / np.maximum(pixels, 1), mean)
    names = [f"under_{EDGES_UM[0]:g}", *(f"{edge:g}" for edge in EDGES_UM)]
    return [(name, float(np.log2(1 + value / mean))) for name, value in zip(names, means, strict=True)]


def _unevenness(light: np.ndarray) -> float:
    """Standard deviation over mean; 0 for no pixels."""
    return float(light.std() / max(float(light.mean()), 1.0)) if light.size else 0.0
