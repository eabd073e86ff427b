"""Sheets of queries and what was found for them: a block per backbone, a row per query, near to far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes

from protloc.figures.style import EDGE_MM, WIDTH_MM, note, sheet, write
from protloc.figures.thumbnail import place

GAP, APART, LINE, HEADING, FOOT = 2.5, 5.0, 2.75, 5.0, 13.0  # mm
LARGEST = 28.0  # mm, side of a thumbnail
LINES, LETTER = 3, 1.22  # below a thumbnail; mm a letter
# Draws an image into axes: its query, its own name, its similarity (None: it is the query), letters a line.
Show = Callable[[Axes, str, str, float | None, int], None]


@dataclass(frozen=True)
class Block:
    """What one backbone is shown to do: its title, and for each query the ids and similarities found."""

    title: str
    found: Mapping[str, Sequence[tuple[str, float]]]


def all_names(blocks: Sequence[Block]) -> list[str]:
    """The ids that the blocks show, queries among them, sorted."""
    rows = (row for block in blocks for row in block.found.items())
    return sorted({name for query, found in rows for name in (query, *dict(found))})


def draw_blocks(
    blocks: Sequence[Block], show: Show, columns: int, caption: str, simulated: bool, outputs: Sequence[Path]
) -> None:
    """Write the sheet: the blocks one below the other, up to `columns` found beside each query."""
    side = min(LARGEST, (WIDTH_MM - 2 * EDGE_MM - APART - (columns - 1) * GAP) / (1 + columns))
    pitch = side + LINES * LINE + GAP
    rows = sum(len(block.found) for block in blocks)
    with sheet(len(blocks) * HEADING + rows * pitch + FOOT, outputs, dpi=150, photos=True) as figure:
        top = EDGE_MM
        for block in blocks:
            write(figure, block.title, top, fontweight="bold")
            top += HEADING
            for query, found in block.found.items():
                for column, (name, similarity) in enumerate([(query, None), *found]):
                    left = EDGE_MM + column * (side + GAP) + (APART - GAP) * (column > 0)
                    show(place(figure, left, top, side), query, name, similarity, int(side / LETTER))
                top += pitch
        note(figure, caption, simulated)
