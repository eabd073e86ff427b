"""What is doubtful about the nuclei of a field, and about the field as a whole."""

from __future__ import annotations

import numpy as np

from protloc.cells.nuclei.ellipse import ellipse_fit, moments

SMALLEST_UM2 = (
    60.0  # living HEK293T nuclei have 70 to 310 µm² in OpenCell's fields; corpses and pieces have less
)
BLUR_UM = 0.55  # width of a rim; in focus it has 0.3
CONDENSED, BRIGHT = 0.75, 1.6  # of the field's medians: chromosomes are packed, and there are twice as many
ELLIPSE = 0.955  # fit: a bean has 0.98, discs that overlap by an eighth of their width 0.94, that touch 0.89
HOT_PX = 3  # so many pixels at the limit may be the camera's faults
PLATEAU_PX = 50  # so many equal pixels, and hardly any just below, are at a limit, even if it is not 65535
JUST_BELOW = 0.99  # of the limit
BLURRED = 0.037  # width of a rim over the diameter of a nucleus: BLUR_UM of 15 µm
CROWDED = 0.8  # share of the field that is nuclei
SATURATED = 0.01  # share of the field's pixels


def flag_nuclei(
    nuclei: np.ndarray, counts: np.ndarray, blur: np.ndarray, pixel_size_um: float
) -> dict[str, np.ndarray]:
    """Those of FLAGS that nuclei have, bool (labels,) each, labels 1 to n in order.

    nuclei int32 (height, width), 0 is background; counts uint16 (height, width), the nucleus channel; blur
    their `rim_blur`. Of a nucleus that the edge cuts, shape and size say nothing, so it is neither
    `mitotic_like` nor `odd_shape`.
    """
    area, cut = _areas(nuclei), _cut(nuclei)
    light = _sums(nuclei, counts) / area - np.percentile(counts, 1)
    shapes = moments(nuclei, np.zeros(nuclei.shape, bool))[1:]
    condensed, bright = area < CONDENSED * _typical(area, cut), light > BRIGHT * _typical(light, cut)
    odd = np.array([ellipse_fit(shape) < ELLIPSE for shape in shapes.tolist()], bool)
    return {
        "touches_border": cut,
        "too_small": area * pixel_size_um**2 < SMALLEST_UM2,
        "saturated": _sums(nuclei, _clipped(counts)) > HOT_PX,
        "out_of_focus": blur * pixel_size_um > BLUR_UM,
        "mitotic_like": condensed & bright & ~cut,
        "odd_shape": odd & ~cut,
    }


def field_problem(nuclei: np.ndarray, counts: np.ndarray, blur: np.ndarray) -> str | None:
    """What makes all nuclei of a field doubtful, or None. Arrays as for flag_nuclei."""
    if counts.min() == counts.max():
        return "the nucleus channel is constant"
    if not nuclei.any():
        return "no nuclei"
    judged = np.isfinite(blur)
    width = blur[judged] / np.sqrt(_areas(nuclei)[judged] * 4 / np.pi)
    problems = {
        "saturated": _clipped(counts).mean() > SATURATED,
        "blurred": judged.any() and np.median(width) > BLURRED,
        "too crowded to tell nuclei apart": (nuclei > 0).mean() > CROWDED,
        "all nuclei are cut by the edge": _cut(nuclei).all(),
    }
    return "; ".join(problem for problem, found in problems.items() if found) or None


def _areas(nuclei: np.ndarray) -> np.ndarray:
    """The pixels of each label, int64 (labels,)."""
    return np.bincount(nuclei.ravel())[1:]


def _sums(nuclei: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The sum of the values over each label, float64 (labels,)."""
    return np.bincount(nuclei.ravel(), weights=values.ravel())[1:]


def _cut(nuclei: np.ndarray) -> np.ndarray:
    """Whether the edge of the field cuts each label."""
    cut = np.zeros(int(nuclei.max(initial=0)) + 1, bool)
    for side in (nuclei[0], nuclei[-1], nuclei[:, 0], nuclei[:, -1]):
        cut[side] = True
    return cut[1:]


def _typical(values: np.ndarray, cut: np.ndarray) -> float:
    """The median of the whole nuclei, of all if none is whole, 0 if there are none."""
    whole = values[~cut] if not cut.all() else values
    return float(np.median(whole)) if len(whole) else 0.0


def _clipped(counts: np.ndarray) -> np.ndarray:
    """The pixels at the camera's limit, bool."""
    highest = int(counts.max())
    at_limit = counts == highest
    number = int(at_limit.sum())
    plateau = number >= PLATEAU_PX and number > np.count_nonzero(counts >= JUST_BELOW * highest) / 2
    return at_limit if plateau or highest == np.iinfo(counts.dtype).max else np.zeros(counts.shape, bool)
