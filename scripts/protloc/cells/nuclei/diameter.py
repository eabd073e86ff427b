"""How wide the nuclei of a field are, and the field at a scale at which that is known."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from protloc.cells.nuclei.light import AREA, DIAMETER, light_of
from protloc.cells.nuclei.masks import filled
from protloc.cells.nuclei.scale import area_average

USUAL_UM = 15.0  # HEK293T nuclei in OpenCell's fields
TRUST = 3  # nuclei of that diameter are added to those found: a field with one nucleus has no median
LIMITS = (0.4, 2.5)  # of the usual diameter
WIDTH_PER_RADIUS = 2.2  # of the inscribed circle: nuclei are longer than wide
PASSES, CLOSE = 4, 0.1  # at most; log of the diameter, at which it is near enough
HALF = 0.5  # of the field's bright pixels
ABOVE_AROUND = 0.8  # of what is around: separates nuclei that lie close
ABOVE_NOISE = 6
LEAST_RADIUS = 2.0  # px
HOLE = 0.1  # of a nucleus: nucleoli


def working_image(nucleus: np.ndarray, pixel_size_um: float) -> np.ndarray:
    """The nucleus channel (height, width) as float32 at a scale at which its nuclei are DIAMETER px wide.

    Their width is measured on an image whose scale rests on the pixel size; where that was off, once more.
    """
    usual = diameter = USUAL_UM / pixel_size_um
    for _ in range(PASSES):
        scale = DIAMETER / diameter
        measured = diameter_in(_scaled(nucleus, scale), usual * scale) / scale
        before, diameter = diameter, float(np.clip(measured, *(limit * usual for limit in LIMITS)))
        if abs(np.log(diameter / before)) < CLOSE:
            break
    return _scaled(nucleus, DIAMETER / diameter)


def diameter_in(image: np.ndarray, usual: float) -> float:
    """The diameter, px, such that half of the bright area lies in wider nuclei; `usual` without any."""
    light = light_of(image)
    mask = light.own > max(HALF * light.typical, ABOVE_NOISE * light.noise)
    mask = filled(mask & (light.own > ABOVE_AROUND * light.around), HOLE * AREA)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    smooth = ndimage.gaussian_filter(depth, 1.0)
    centres = (ndimage.maximum_filter(smooth, DIAMETER // 3) == smooth) & (depth > LEAST_RADIUS)
    radii = np.sort(np.append(depth[centres], [usual / WIDTH_PER_RADIUS] * TRUST))
    area = np.cumsum(radii**2)
    return WIDTH_PER_RADIUS * float(radii[np.searchsorted(area, area[-1] / 2)])


def _scaled(nucleus: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(2, round(side * scale)) for side in nucleus.shape)
    return area_average(nucleus, (height, width))
