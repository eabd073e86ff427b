"""Crops of one size around the nuclei of a field, and where they lie in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

BACKGROUND = 1  # percentile of a channel that stands for no light: the camera's offset


def side_px(crop_um: float, pixel_size_um: float) -> int:
    """The side of a crop in px, even, so that a centre lies in its middle."""
    return 2 * max(1, round(crop_um / pixel_size_um / 2))


def corners(centroids: np.ndarray, side: int) -> np.ndarray:
    """Top and left in px of a crop around each centroid: int64 (cells, 2), negative beyond the edge."""
    return np.floor(centroids + 0.5).astype(np.int64) - side // 2


def padded_fraction(cells: pd.DataFrame | Mapping[str, np.ndarray], side: int) -> np.ndarray:
    """The share of each cell's crop of `side` px that lies beyond its field, float64 (cells,), 0 to 1.

    `cells` are rows of the table of that name, or its columns by name; stored crops may be of another size.
    """
    first, end, size = (
        np.stack([cells[down], cells[across]], axis=1)
        for down, across in (("top", "left"), ("bottom", "right"), ("field_height", "field_width"))
    )
    at = (first + end - side) // 2
    inside = np.minimum(at + side, size) - np.maximum(at, 0)
    return 1 - np.maximum(inside, 0).prod(axis=1) / side**2


def background(counts: np.ndarray) -> np.ndarray:
    """The level of each channel of a field without light, uint16 (channels,): a count that occurs in it."""
    return np.percentile(counts, BACKGROUND, axis=(1, 2), method="lower").astype(np.uint16)


def cut(image: np.ndarray, at: np.ndarray, side: int, fill: Sequence[int]) -> np.ndarray:
    """Crops (cells, channels, side, side) of `image` (channels, height, width) with their corners `at`.

    What lies beyond the image has the value `fill` of its channel; a corner lies at most `side` px outside.
    """
    channels, height, width = image.shape
    padded = np.empty((channels, height + 2 * side, width + 2 * side), image.dtype)
    padded[:] = np.asarray(fill, image.dtype)[:, None, None]
    padded[:, side:-side, side:-side] = image
    crops = np.empty((len(at), channels, side, side), image.dtype)
    for crop, (top, left) in zip(crops, at + side, strict=True):
        crop[:] = padded[:, top : top + side, left : left + side]
    return crops
