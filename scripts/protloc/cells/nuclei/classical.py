"""Nuclei without weights: fragments of a mask, joined where that makes shapes more like nuclei.

Each step's file says what it does; `docs/decisions.md` says why this way.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from protloc.cells.nuclei.darklines import cut_at_dark_lines
from protloc.cells.nuclei.diameter import working_image
from protloc.cells.nuclei.foreground import half_maximum, loose_mask, tidy
from protloc.cells.nuclei.fragments import cut_at_necks
from protloc.cells.nuclei.labels import in_one_piece, in_reading_order, nearest_within, without_bites
from protloc.cells.nuclei.light import AREA, DIAMETER, Light, light_of
from protloc.cells.nuclei.masks import filled
from protloc.cells.nuclei.merging import merge
from protloc.cells.nuclei.outlines import outlined

COARSE, FINE = 1.5, 0.7  # px: smoothing of the distance to the rim, for few and for many fragments
GAP = 0.2  # of a nucleus' area: what nuclei enclose
LEAST, LEAST_CUT = 0.1, 0.03  # of a nucleus' area: less is debris; the field's edge may leave less of one
BITE = 3  # px: a bay of up to this radius is a nucleolus at the rim
BAND = 3  # px inside and outside of an outline
CONTRAST = 0.25  # by so much of its light must a nucleus be brighter inside of its outline than outside


def find_nuclei(nucleus: np.ndarray, pixel_size_um: float) -> np.ndarray:
    """Labels int32 (height, width), 0 is background, of the counts uint16 (height, width)."""
    if nucleus.min() == nucleus.max():
        return np.zeros(nucleus.shape, np.int32)
    light = light_of(working_image(nucleus, pixel_size_um))
    labels = _shapes(light)
    zone = nearest_within(labels, DIAMETER / 4)
    inside = half_maximum(light, zone, labels > 0)
    labels = _distinct(in_one_piece(np.where(inside, zone, 0)), light)
    return in_reading_order(in_one_piece(outlined(without_bites(labels, BITE), nucleus.shape)))


def _shapes(light: Light) -> np.ndarray:
    """The shapes of the nuclei at the working scale, labels int32."""
    loose = loose_mask(light)
    zone = nearest_within(cut_at_necks(loose, loose, COARSE), DIAMETER / 3)
    mask = tidy(half_maximum(light, zone, loose), light)
    rim = _rim(mask.shape)
    labels, _ = merge(cut_at_necks(mask, filled(mask, GAP * AREA), FINE), rim)
    return cut_at_dark_lines(labels, light.own, rim)


def _distinct(labels: np.ndarray, light: Light) -> np.ndarray:
    """The labels that are large enough for a nucleus, and have a rim: haze fades away instead."""
    count = int(labels.max()) + 1
    area = np.bincount(labels.ravel(), minlength=count)
    cut = np.bincount(labels[_rim(labels.shape)], minlength=count) > 0
    within = np.where(ndimage.distance_transform_edt(labels > 0) <= BAND, labels, 0)
    around = np.where(labels == 0, nearest_within(labels, BAND), 0)
    bright, dim = (_means(light.total, where, count) for where in (within, around))
    keep = (area >= np.where(cut, LEAST_CUT, LEAST) * AREA) & (bright - dim >= CONTRAST * bright)
    keep[0] = False
    return np.where(keep[labels], labels, 0)


def _means(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """The mean of the values in each label, 0 for a label without pixels."""
    pixels = np.bincount(labels.ravel(), minlength=count)
    return np.bincount(labels.ravel(), weights=values.ravel(), minlength=count) / np.maximum(pixels, 1)


def _rim(shape: tuple[int, int]) -> np.ndarray:
    """The outermost pixels, bool."""
    rim = np.ones(shape, bool)
    rim[1:-1, 1:-1] = False
    return rim
