"""A cell's crop as pictures that a page carries in itself."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from protloc.contrast import limits, stretch
from protloc.crops import Crops

LARGEST = 200  # px: larger crops are averaged down, or a page of 200 cells would pass 15 MB
SPARSE = 4  # of a field's crops every fourth row and column tell its percentiles


@dataclass(frozen=True)
class Pictures:
    """PNGs as data URIs: both channels in 8 bits at the crop's contrast, and the nucleus' outline.

    `field` holds a slope and an intercept per channel: they turn brightness at the crop's contrast, 0 to 1,
    into that at the contrast of its field.
    """

    nucleus: str
    protein: str
    outline: str
    field: list[list[float]]


def field_limits(crops: Crops, rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Counts shown black and full at the contrast of the field with crops in `rows`: (2, 1, 1) each."""
    counts = crops.pixels[rows, :, ::SPARSE, ::SPARSE]
    return limits(counts.swapaxes(0, 1).reshape(counts.shape[1], -1, 1))


def draw(counts: np.ndarray, nucleus: np.ndarray, of_field: tuple[np.ndarray, np.ndarray]) -> Pictures:
    """The pictures of a crop: counts uint16 (2, side, side), mask bool (side, side), the field's limits."""
    low, high = limits(counts)
    grey = np.rint(255 * stretch(counts, low, high)).astype(np.uint8)
    dark, light = of_field
    span = np.maximum(light - dark, 1)
    slope, shift = np.maximum(high - low, 1) / span, (low - dark) / span
    terms = np.concatenate([slope, shift], axis=1)[..., 0]
    rim = nucleus & ~ndimage.binary_erosion(nucleus)
    clear = np.zeros((*rim.shape, 2), dtype=np.uint8)
    clear[rim] = 255
    return Pictures(*map(_data_uri, (*grey, clear)), np.round(terms, 4).tolist())


def _data_uri(pixels: np.ndarray) -> str:
    """A PNG in the text of a page: uint8 (side, side) grey, or (side, side, 2) grey and opacity."""
    image = Image.fromarray(pixels)
    stream = io.BytesIO()
    image.reduce(-(-max(image.size) // LARGEST)).save(stream, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
