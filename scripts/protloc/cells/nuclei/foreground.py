"""Which pixels belong to nuclei: first loosely, then by the half maximum of each."""

from __future__ import annotations

import numpy as np

from protloc.cells.nuclei.light import AREA, Light
from protloc.cells.nuclei.masks import filled, without_specks

ABOVE_AROUND = 0.7  # of the mean within about a nucleus
ABOVE_TYPICAL = 0.15  # of the field's bright pixels
ABOVE_NOISE = 6  # standard deviations
GAP = 0.35  # of the mean around: a darker hole is a gap between nuclei, a brighter one a nucleolus
HOLE, SPECK = 0.2, 0.05  # of a nucleus' area
STEPS = 3
HIGHEST = 0.6  # of a nucleus' own light
RARE = 0.1  # too few pixels around a nucleus to tell how dark it is there


def loose_mask(light: Light) -> np.ndarray:
    """What may belong to nuclei, bool (height, width): brighter than its surroundings and than noise."""
    floor = max(ABOVE_TYPICAL * light.typical, ABOVE_NOISE * light.noise)
    return tidy(light.own > np.maximum(ABOVE_AROUND * light.around, floor), light)


def tidy(mask: np.ndarray, light: Light) -> np.ndarray:
    """The mask without specks, and with the holes that are no gaps between nuclei filled."""
    gap = light.own < GAP * light.around
    return without_specks(filled(mask, HOLE * AREA, not_here=gap), SPECK * AREA)


def half_maximum(light: Light, zone: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """What is brighter, in each zone, than midway between its nucleus and its surroundings.

    `zone` labels the zones, 0 is none; `inside` bool is a first guess. The threshold of isodata (Ridler and
    Calvard 1978) in each, so a dim nucleus beside a bright one has a threshold of its own.
    """
    where, values, found = zone.ravel(), light.own.ravel(), inside.ravel()
    pixels, total = np.bincount(where), np.bincount(where, weights=values)
    for _ in range(STEPS):
        within = np.bincount(where[found], minlength=len(pixels))
        sums = np.bincount(where[found], weights=values[found], minlength=len(pixels))
        around = pixels - within
        bright = sums / np.maximum(within, 1)
        dim = np.where(around > RARE * within, (total - sums) / np.maximum(around, 1), 0)
        threshold = np.minimum((bright + dim) / 2, HIGHEST * bright)
        found = (values > threshold[where]) & (where > 0)
    return found.reshape(zone.shape)
