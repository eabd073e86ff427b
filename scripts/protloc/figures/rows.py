"""Routes as the rows of a chart, those of a backbone together, its name beside them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from matplotlib.axes import Axes

from protloc.figures.asked import Asked
from protloc.figures.looks import Route
from protloc.figures.style import GREY, INK, MM, SMALL_PT, plain

LINE, APART, NEAR = 2.9, 1.6, 1.5  # mm: of text, between backbones, and between a name and what it names
NAME_MM, STRATEGY_MM, LETTERS = 41.0, 23.0, 30  # room for names left of the rows; of a line of a title
POINT = MM * 72  # a mm
NONE = "none"


@dataclass(frozen=True)
class Rows:
    """Where each route is drawn, in mm below the upper side of the axes.

    `routes` are in the order of the rows, those of a backbone together; `slot` is the least height of one.
    """

    routes: Sequence[Route]
    asked: Asked
    slot: float

    @cached_property
    def groups(self) -> dict[str, tuple[float, float]]:
        """The upper and the lower side of each backbone's rows: as high as its name at least."""
        found, top = {}, APART / 2
        for backbone in dict.fromkeys(backbone for backbone, _ in self.routes):
            height = max(len(self._of(backbone)) * self.slot, len(self._lines(backbone)) * LINE)
            found[backbone] = (top, top + height)
            top += height + APART
        return found

    @cached_property
    def sides(self) -> dict[Route, tuple[float, float]]:
        """The upper and the lower side of each route's row."""
        found = {}
        for backbone, (top, bottom) in self.groups.items():
            mine = self._of(backbone)
            high = (bottom - top) / len(mine)
            found |= {route: (top + at * high, top + (at + 1) * high) for at, route in enumerate(mine)}
        return found

    @cached_property
    def height(self) -> float:
        """Of all rows, mm."""
        return max((bottom for _, bottom in self.groups.values()), default=LINE) + APART / 2

    def name(self, axis: Axes, left: float = NEAR) -> None:
        """Write the titles `left` mm left of the axes, those of controls in grey."""
        for backbone, (top, bottom) in self.groups.items():
            ink = GREY if backbone in self.asked.controls else INK
            words = "\n".join(self._lines(backbone))
            _beside(axis, words, (top + bottom) / 2, left, color=ink, linespacing=1.05)

    def name_strategies(self, axis: Axes) -> None:
        """Write the strategy of each row that has one left of the axes."""
        for (_, strategy), (top, bottom) in self.sides.items():
            if strategy != NONE:
                _beside(axis, plain(strategy), (top + bottom) / 2, NEAR, color=GREY, fontsize=SMALL_PT)

    def _of(self, backbone: str) -> list[Route]:
        return [route for route in self.routes if route[0] == backbone]

    def _lines(self, backbone: str) -> list[str]:
        return textwrap.wrap(self.asked.titles[backbone], LETTERS)


def _beside(axis: Axes, words: str, height: float, left: float, **look: object) -> None:
    """Write words that end `left` mm left of the axes at a height of theirs."""
    place = {"xycoords": axis.get_yaxis_transform(), "textcoords": "offset points"}
    axis.annotate(words, (0, height), (-left * POINT, 0), ha="right", va="center", **place, **look)
