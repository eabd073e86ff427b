"""How much a shape is like a nucleus: from its moments, which add up when shapes are joined."""

from __future__ import annotations

import math

import numpy as np

from protloc.cells.nuclei.light import AREA

ROUGH = 0.005  # share of the area by which even a well-drawn ellipse misses its own
MISFIT = 0.09  # two discs that touch miss theirs by 0.106
USUAL_SIZE, SIZE = 0.3, 0.35  # log of the area that a nucleus may be off, and standard deviation beyond
USUAL_ASPECT, ASPECT = 1.8, 0.6  # length over width that a nucleus may have, and standard deviation beyond
CUT_ASPECT = 0.7  # so much more may it be where the field's edge cuts off all it can
WORST = 50.0  # minus log likeness: even a line must be worth more than nothing, to be compared
CUT = 0.7  # border pixels over root of the area of a disc of which half is missing


def moments(labels: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """Sums over the pixels of each label, float64 (labels + 1, 7): 1, y, x, y², x², xy, and the rim's pixels.

    They are 0 for label 0. `rim` bool (height, width) is the field's outermost row of pixels.
    """
    length = int(labels.max(initial=0)) + 1
    y, x = np.nonzero(labels)
    where, along_rim = labels[y, x], rim[y, x]
    y, x = y.astype(float), x.astype(float)
    terms = (np.ones(len(where)), y, x, y * y, x * x, x * y, along_rim)
    return np.stack([np.bincount(where, weights=term, minlength=length) for term in terms], axis=1)


def ellipse_fit(sums: list[float]) -> float:
    """A shape's area over that of the ellipse of equal second moments: less than 1 for all but ellipses."""
    return sums[0] / (4 * math.pi * math.sqrt(_spread(sums)[1]))


def likeness(sums: list[float]) -> float:
    """Likeness to a nucleus, 0 to 1, of a shape with these moments: by its ellipse fit, size and aspect."""
    area, rim = sums[0], sums[-1]
    mean, product = _spread(sums)
    aspect = (mean + math.sqrt(max(mean * mean - product, 0.0))) / math.sqrt(product)
    misfit = max(0.0, 1 - ellipse_fit(sums) - ROUGH) / MISFIT
    off = max(0.0, abs(math.log(area / AREA)) - USUAL_SIZE) / SIZE
    cut = min(1.0, rim / (CUT * math.sqrt(area)))
    thin = max(0.0, aspect - USUAL_ASPECT - CUT_ASPECT * cut) / ASPECT
    return math.exp(-min(misfit + (off * off + thin * thin) / 2, WORST))


def _spread(sums: list[float]) -> tuple[float, float]:
    """The mean and the product of a shape's variances along its axes, px² and px⁴."""
    area, y, x, yy, xx, xy, _ = sums
    y, x = y / area, x / area
    along_y, along_x = yy / area - y * y + 1 / 12, xx / area - x * x + 1 / 12  # 1/12: a pixel's own
    return (along_y + along_x) / 2, along_y * along_x - (xy / area - x * y) ** 2
