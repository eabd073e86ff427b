"""Matrices of shares from 0 to 1: cells filled by value, with words that are legible on the fill."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from protloc.figures.style import MM, SMALL_PT, WIDTH_MM

# One hue, light to dark: read by any eye, and a matrix of little stays white.
MAP, EMPTY = "Blues", "#e4e4e4"
BLACK, WHITE = "#000000", "#ffffff"
LEAST_PT, EM, LINE = 3.8, 0.62, 1.3  # smallest size of words; width of a digit and height of a line, in ems
SCALE_MM = (26.0, 1.8)
POINT = MM * 72  # a mm


def axes_at(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """New axes whose unit is a mm, their upper left corner at `left` and `top` mm of the figure's."""
    high = figure.get_figheight() / MM
    axis = figure.add_axes(
        (left / WIDTH_MM, 1 - (top + height) / high, width / WIDTH_MM, height / high), frame_on=False
    )
    axis.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    return axis


def draw_cells(
    axis: Axes,
    columns: Sequence[tuple[float, float]],
    rows: Sequence[tuple[float, float]],
    values: np.ndarray,
    words: Sequence[Sequence[str]],
) -> None:
    """Fill a cell for each of `values` (rows, columns), NaN grey, and write its words if there is room.

    `columns` and `rows` are the sides of the cells, mm.
    """
    fills = colours(values)
    boxes = [
        ((left, top), (right, top), (right, bottom), (left, bottom))
        for top, bottom in rows
        for left, right in columns
    ]
    axis.add_collection(
        PolyCollection(boxes, facecolors=fills.reshape(-1, 4), edgecolors="white", linewidths=0.4)
    )
    size = _size(columns, rows, max((len(word) for row in words for word in row), default=0))
    if size < LEAST_PT:
        return
    inks = ink(fills)
    for row, (top, bottom) in enumerate(rows):
        for column, (left, right) in enumerate(columns):
            if words[row][column]:
                place = ((left + right) / 2, (top + bottom) / 2)
                look = {"ha": "center", "va": "center_baseline", "fontsize": size, "color": inks[row, column]}
                axis.text(*place, words[row][column], **look)


def sides(count: int, cell: float) -> list[tuple[float, float]]:
    """The sides of so many columns or rows of equal width, mm."""
    return [(number * cell, (number + 1) * cell) for number in range(count)]


def colours(values: np.ndarray) -> np.ndarray:
    """The colours of values from 0 to 1, and of NaN: (…, 4)."""
    filled = matplotlib.colormaps[MAP](np.nan_to_num(values))
    filled[np.isnan(values)] = matplotlib.colors.to_rgba(EMPTY)
    return filled


def ink(fills: np.ndarray) -> np.ndarray:
    """Black or white for each of `fills` (…, 4), whichever contrasts more (WCAG 2, relative luminance)."""
    light = luminance(fills)
    return np.where((light + 0.05) / 0.05 >= 1.05 / (light + 0.05), BLACK, WHITE)


def luminance(fills: np.ndarray) -> np.ndarray:
    """The relative luminance of colours (…, 4) in sRGB, 0 to 1."""
    parts = fills[..., :3]
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def _size(columns: Sequence[tuple[float, float]], rows: Sequence[tuple[float, float]], letters: int) -> float:
    """The size of words of so many letters that fit the smallest cell, pt."""
    wide, high = (min(end - start for start, end in sides) for sides in (columns, rows))
    return min(SMALL_PT, POINT * wide / (EM * max(letters, 1) + 0.3), POINT * high / LINE)


def draw_scale(figure: Figure, left: float, top: float, title: str) -> None:
    """Draw what the fills mean, its upper left corner at `left` and `top` mm of the figure's."""
    axis = axes_at(figure, left, top + 3.5, *SCALE_MM)
    width, height = SCALE_MM
    steps = np.linspace(0, width, 65)
    boxes = [((start, 0), (end, 0), (end, height), (start, height)) for start, end in pairwise(steps)]
    fills = colours((np.arange(64) + 0.5) / 64)
    axis.add_collection(PolyCollection(boxes, facecolors=fills, edgecolors=fills, linewidths=0.2))
    axis.text(0, -1.0, title, fontsize=SMALL_PT)
    for share in (0.0, 0.5, 1.0):
        axis.text(share * width, height + 0.8, f"{share:g}", ha="center", va="top", fontsize=SMALL_PT)
