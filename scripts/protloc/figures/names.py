"""Names of lines, written beside their ends instead of in a legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from protloc.figures.style import GREY, INK, WIDTH_MM

GAP = 0.052  # between names, in units of an axis from 0 to 1
SAMPLE = np.array([3.0, 6.5, 10.0])  # mm from the axes: where the sample of a line begins, is marked and ends
TEXT_MM, LETTER_MM = 11.0, 1.27


def room(names: Sequence[str]) -> float:
    """The width in mm that `names` need beside the axes."""
    return TEXT_MM + 2.0 + LETTER_MM * max(map(len, names))


def name_lines(axis: Axes, ends: Sequence[tuple[float, Mapping[str, object]]]) -> None:
    """Write each line's label with a sample of it at the height of its end, or as near as others allow.

    `ends` are heights (0 to 1) and what `Axes.plot` is given for the line, its colour and label among it.
    """
    ordered = sorted(ends, key=lambda end: end[0])
    places = spread(np.array([end for end, _ in ordered]), GAP)
    beside = axis.get_yaxis_transform()
    mm = 1 / (axis.get_position().width * WIDTH_MM)
    for (end, look), place in zip(ordered, places, strict=True):
        outside = {"transform": beside, "clip_on": False}
        axis.plot([1, 1 + SAMPLE[0] * mm], [end, place], color=look["color"], linewidth=0.5, **outside)
        axis.plot(1 + SAMPLE * mm, [place] * 3, markevery=[1], **outside, **look)
        ink = INK if look["color"] == GREY else look["color"]
        axis.text(1 + TEXT_MM * mm, place, look["label"], color=ink, va="center_baseline", transform=beside)


def spread(heights: np.ndarray, gap: float) -> np.ndarray:
    """Sorted `heights` moved to lie at least `gap` apart, between 0 and 1 if they fit."""
    placed = heights.astype(float)
    for number in range(1, len(placed)):
        placed[number] = max(placed[number], placed[number - 1] + gap)
    placed[-1:] = np.minimum(placed[-1:], 1)
    for number in range(len(placed) - 2, -1, -1):
        placed[number] = min(placed[number], placed[number + 1] - gap)
    return placed - np.minimum(placed[:1], 0)
