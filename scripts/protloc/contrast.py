"""How counts become brightness and colour wherever people look at them."""

from __future__ import annotations

import numpy as np

TINTS = np.array([[0.28, 0.42, 1.0], [0.35, 1.0, 0.25]], dtype=np.float32)  # of nucleus and protein, RGB
DARK, LIGHT = 1.0, 99.7  # percentiles of each channel that are shown black and full


def limits(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The counts that are shown black and full: two arrays (channels, 1, 1) of an image (channels, h, w)."""
    low, high = np.percentile(counts, (DARK, LIGHT), axis=(1, 2), keepdims=True)
    return low, high


def stretch(counts: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Brightness from 0 at `low` or below to 1 at `high` or above, of the shape of `counts`."""
    return np.clip((counts - low) / np.maximum(high - low, 1), 0, 1)
