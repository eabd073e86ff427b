"""UMAPs of cells, a part per backbone: where each class lies, and whether proteins and fields lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protloc.figures.looks import MARKERS, Route
from protloc.figures.mapped_cells import PROTEINS
from protloc.figures.projection import NEIGHBOURS, too_few
from protloc.figures.style import COLOURS, EDGE_MM, MM, SMALL_PT, WIDTH_MM, missing, note, plain, sheet, write
from protloc.figures.thumbnail import place

HEADING, NAME, GAP, APART, LINE, FOOT, EMPTY = 5.0, 3.5, 2.0, 6.0, 2.9, 12.0, 30.0  # mm
LARGE, SMALL = 46.0, 18.0  # mm, side of a row's map of proteins, and least side of a map of a class
WIDTH = WIDTH_MM - 2 * EDGE_MM - LARGE - APART  # mm, of all maps of classes
FIELDS = (WIDTH_MM - 2 * EDGE_MM - (PROTEINS - 1) * GAP) / PROTEINS  # mm, side of a map of a protein's fields
OTHERS = "#d4d4d4"


def draw_cells_umap(
    maps: pd.DataFrame, titles: Mapping[Route, str], simulated: bool, outputs: Sequence[Path]
) -> None:
    """Write the figure: a part per backbone and strategy; left a map per class, right one of proteins, below
    the fields of each of these.

    `maps` are rows of `add_places` with the columns backbone and strategy; `titles` are by these.
    """
    classes = sorted(set(maps["label"]) - {""})
    count = maps["cell_id"].nunique()
    side, across = _grid(max(1, len(classes)))
    down = -(-max(1, len(classes)) // across)
    upper = max(down * (side + NAME), NAME + LARGE + (PROTEINS + 1) * LINE)
    row = HEADING + upper + HEADING + NAME + FIELDS + GAP
    height = FOOT + (EMPTY if too_few(count) else len(titles) * row)
    with sheet(height, outputs) as figure:
        if too_few(count):
            missing(figure, f"Cells that are kept: {count}. A UMAP needs more than {NEIGHBOURS}.")
            note(figure, "", simulated)
            return
        for number, (route, title) in enumerate(titles.items()):
            of_route = maps[(maps["backbone"] == route[0]) & (maps["strategy"] == route[1])]
            top = EDGE_MM + number * row
            _draw_row(figure, top, title, of_route, classes, (side, across))
            if not of_route["x"].isna().any():
                _draw_fields(figure, top + HEADING + upper, of_route)
        note(figure, _caption(maps, len(classes)), simulated)


def _grid(count: int) -> tuple[float, int]:
    """Side in mm and number in a row of `count` square maps that fill the room beside the map of proteins."""
    room = LARGE + PROTEINS * LINE
    sides = {
        across: min((WIDTH - (across - 1) * GAP) / across, room / -(-count // across) - NAME)
        for across in range(1, count + 1)
    }
    across = max(sides, key=sides.__getitem__)
    if sides[across] < SMALL:
        across = int((WIDTH + GAP) / (SMALL + GAP))
    return min((WIDTH - (across - 1) * GAP) / across, LARGE), across


def _draw_row(
    figure: Figure,
    top: float,
    title: str,
    cells: pd.DataFrame,
    classes: Sequence[str],
    grid: tuple[float, int],
) -> None:
    """Draw the maps of one backbone, the upper side of its title at `top` mm."""
    write(figure, title, top, fontweight="bold")
    top += HEADING + NAME
    if cells["x"].isna().any():
        write(figure, "All vectors are alike: there is no map.", top, color=COLOURS[1])
        return
    side, across = grid
    for number, label in enumerate(classes or [""]):
        left = EDGE_MM + number % across * (side + GAP)
        axis = _map(figure, left, top + number // across * (side + NAME), side, cells)
        mine = cells[cells["label"] == label] if classes else cells[:0]
        _points(axis, mine, color=COLOURS[0], s=0.09 * side)
        name = plain(label) if classes else "no cell has a label"
        axis.set_title(name, loc="left", fontsize=SMALL_PT, pad=1.5)
    axis = _map(figure, WIDTH_MM - EDGE_MM - LARGE, top, LARGE, cells)
    axis.set_title("cells of some proteins", loc="left", fontsize=SMALL_PT, pad=1.5)
    _draw_proteins(axis, cells[cells["shown"]])


def _map(figure: Figure, left: float, top: float, side: float, cells: pd.DataFrame) -> Axes:
    """Square axes with all cells in grey."""
    axis = place(figure, left, top, side)
    low, high = cells[["x", "y"]].min(), cells[["x", "y"]].max()
    middle, half = (low + high) / 2, 0.53 * (high - low).max()
    axis.set(xticks=[], yticks=[])
    axis.set(xlim=(middle["x"] - half, middle["x"] + half), ylim=(middle["y"] - half, middle["y"] + half))
    for spine in axis.spines.values():
        spine.set(visible=True, color=OTHERS, linewidth=0.5)
    _points(axis, cells, color=OTHERS, s=0.012 * side**1.5)
    return axis


def _points(axis: Axes, cells: pd.DataFrame, **look: object) -> None:
    """Draw cells as points; in an SVG they are one picture, or it would have 100,000 elements."""
    axis.scatter(cells["x"], cells["y"], linewidths=0, rasterized=True, **look)


def _draw_proteins(axis: Axes, cells: pd.DataFrame) -> None:
    """Draw the cells of the proteins that are shown, and the proteins' names below the map."""
    mm = 1 / (axis.get_position().height * axis.figure.get_figheight() / MM)
    beside = {"transform": axis.transAxes, "clip_on": False}
    for number, (gene, of_gene) in enumerate(cells.groupby("gene")):
        colour, down = COLOURS[number], -(number + 1) * LINE * mm
        _points(axis, of_gene, color=colour, s=7)
        axis.plot(1.5 * mm, down, marker="o", color=colour, **beside)
        label = plain(of_gene["label"].iloc[0]) or "no label"
        words = f"{gene}: {label}, {len(of_gene)} cells"
        axis.text(4 * mm, down, words, fontsize=SMALL_PT, va="center_baseline", transform=axis.transAxes)


def _draw_fields(figure: Figure, top: float, cells: pd.DataFrame) -> None:
    """Draw a map of each protein that is shown, its fields in colours of their own, from `top` mm down."""
    write(figure, "the same proteins, a colour and marker per field of view", top, fontsize=SMALL_PT)
    for number, (gene, of_gene) in enumerate(cells[cells["shown"]].groupby("gene")):
        left = EDGE_MM + number * (FIELDS + GAP)
        axis = _map(figure, left, top + HEADING + NAME - 1.0, FIELDS, cells)
        fields = of_gene.groupby("fov_id")
        for field, (_, of_field) in enumerate(fields):
            look = {"color": COLOURS[field % len(COLOURS)], "marker": MARKERS[field % len(MARKERS)]}
            axis.scatter(of_field["x"], of_field["y"], s=9, linewidths=0, rasterized=True, **look)
        words = f"{gene}: {fields.ngroups} {'field' if fields.ngroups == 1 else 'fields'}"
        axis.set_title(words, loc="left", fontsize=SMALL_PT, pad=1.5)


def _caption(maps: pd.DataFrame, classes: int) -> str:
    """What is shown, and how it came about."""
    cells = maps.drop_duplicates("cell_id")
    without = int((cells["label"] == "").sum())
    return (
        f"UMAPs (cosine, {NEIGHBOURS} neighbours) of {len(cells):,} kept cells of "
        f"{cells['gene'].nunique():,} proteins, spread over proteins; grey: all of them.\n"
        f"Blue: cells of the class above the map. Classes: {classes}; cells without a label: {without:,}."
    )
