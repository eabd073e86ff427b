"""What vectors tell that is no localization: who the nearest neighbour is, and what scores gain by it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from protloc.figures.looks import Look, Route, looks_of_routes
from protloc.figures.names import LETTER_MM
from protloc.figures.shortcut_rows import KNN, NEAREST, PADDED, UNITS
from protloc.figures.style import EDGE_MM, GREY, INK, MM, SMALL_PT, WIDTH_MM, note, sheet, write

HEADING, LEGEND, TITLE, ROW, AXIS, GAP, FOOT, EMPTY = 5.0, 5.0, 4.5, 4.6, 9.0, 4.0, 9.0, 8.0  # mm
TITLES = dict(
    zip(
        NEAREST, ("of the same protein", "of the same field", "of the field within the protein*"), strict=True
    )
)
PADDED_TITLES = dict(zip(PADDED, ("padded", "not padded"), strict=True))
PADDED_HEADING = "How often the crop of the nearest cell is padded, if that of the cell itself is …"
TASKS = {"finetune": "fine-tuned", KNN: "neighbours"}
MARKS = dict(zip(UNITS, ("o", "s", "^"), strict=True))
KNOWN = {
    "protein": "nothing: split by protein, neighbours of other proteins",
    "fov": "the protein: split by field, of other fields",
    "cell": "the field: of other cells",
}
STEP = 0.24  # of a row, between the ways to split
NO_NEAREST = "There are no single cells with labels, so nothing is known of nearest cells."
NO_PADDING = "No crop that is shown reaches beyond its field: none is padded."
NO_SCORES = "The runs were split in one way alone: there is nothing to compare."
NEAREST_NOTE = (
    "* of cells whose nearest is of their protein and might be of another of its fields. "
    "Bars: least to largest seed.\n"
)
SCORES_NOTE = "Macro F1 with 95 % intervals by bootstrap over proteins. "
CONTROLS_NOTE = "Grey, hollow: controls."


def draw_shortcuts(
    rows: pd.DataFrame,
    titles: Mapping[str, str],
    controls: Collection[str],
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the figure: how often the nearest cell is of the same protein or field, or padded; macro F1.

    `rows` are those of `shortcut_rows`, `titles` and `controls` are by backbone. Where either is not known
    the figure says so.
    """
    looks = looks_of_routes(rows, titles, controls)
    nearest, padded = (rows[rows["panel"].isin(panels)] for panels in (NEAREST, PADDED))
    scores = rows[rows["panel"] == "macro_f1"]
    heights = [_height(nearest), _height(padded) if len(nearest) else 0.0, _height(scores, LEGEND)]
    with sheet(EDGE_MM + sum(heights) + 2 * GAP + FOOT, outputs) as figure:
        top = EDGE_MM
        write(figure, "How often the nearest cell is …", top, fontweight="bold")
        _draw_nearest(figure, top + HEADING, nearest, looks, TITLES, NO_NEAREST)
        top += heights[0] + GAP
        if heights[1]:
            write(figure, PADDED_HEADING, top, fontweight="bold")
            _draw_nearest(figure, top + HEADING, padded, looks, PADDED_TITLES, NO_PADDING)
        top += heights[1] + GAP
        write(figure, "Macro F1, if what is known of a test image beforehand is …", top, fontweight="bold")
        if scores.empty:
            write(figure, NO_SCORES, top + HEADING, color=GREY)
        else:
            _draw_legend(figure, top + HEADING, scores)
            _draw_scores(figure, top + HEADING + LEGEND, scores, looks)
        notes = [NEAREST_NOTE, SCORES_NOTE]
        notes = [text for text, part in zip(notes, (nearest, scores), strict=True) if len(part)]
        note(figure, "".join([*notes, CONTROLS_NOTE] if notes else []), simulated)


def _height(rows: pd.DataFrame, legend: float = 0.0) -> float:
    """The height of a part in mm."""
    if rows.empty:
        return HEADING + EMPTY
    return HEADING + legend + TITLE + len(_routes(rows)) * ROW + AXIS


def _routes(rows: pd.DataFrame) -> set[Route]:
    return set(zip(rows["backbone"], rows["strategy"], strict=True))


def _panels(
    figure: Figure, top: float, rows: pd.DataFrame, looks: Mapping[Route, Look], titles: Sequence[str]
) -> tuple[list[Axes], list[Route]]:
    """Axes beside each other with a place for each route, from 0 down, named at the left; and the routes."""
    routes = [route for route in looks if route in _routes(rows)]
    names = [str(looks[route]["label"]) for route in looks]
    left = EDGE_MM + LETTER_MM * max(map(len, names)) + 3.0
    width = (WIDTH_MM - EDGE_MM - left - (len(titles) - 1) * GAP) / len(titles)
    height, sheet_mm = len(routes) * ROW, figure.get_figheight() / MM
    axes = []
    for number, title in enumerate(titles):
        where = (left + number * (width + GAP), sheet_mm - top - TITLE - height, width, height)
        axis = figure.add_axes(
            (where[0] / WIDTH_MM, where[1] / sheet_mm, width / WIDTH_MM, height / sheet_mm)
        )
        axis.set_title(title, loc="left")
        axis.set(xlim=(0, 1), ylim=(len(routes) - 0.5, -0.5))
        axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axis.set_xticks([0.25, 0.75], minor=True)
        axis.set_yticks(range(len(routes)), [str(looks[route]["label"]) for route in routes])
        axis.tick_params(axis="y", length=0, labelleft=number == 0)
        axis.spines["left"].set_color("#bbbbbb")
        axis.grid(axis="x", which="both", color="#eeeeee", linewidth=0.5)
        axis.set_axisbelow(True)
        axes.append(axis)
    return axes, routes


def _draw_nearest(
    figure: Figure,
    top: float,
    rows: pd.DataFrame,
    looks: Mapping[Route, Look],
    titles: Mapping[str, str],
    nothing: str,
) -> None:
    """Draw shares with what a random neighbour would give, a panel each of `titles`; of no rows `nothing`."""
    if rows.empty:
        write(figure, nothing, top, color=GREY)
        return
    axes, routes = _panels(figure, top, rows, looks, list(titles.values()))
    for axis, panel in zip(axes, titles, strict=True):
        of_panel = rows[rows["panel"] == panel].set_index(["backbone", "strategy"])
        for place, route in enumerate(routes):
            if route in of_panel.index:
                row = of_panel.loc[[route]].iloc[0]
                chance = [place - 0.32, place + 0.32]
                axis.plot([row["chance"]] * 2, chance, color=INK, linewidth=1.0, clip_on=False)
                _draw_value(axis, place, row, looks[route], "o")
    axes[0].set_xlabel("share of cells; upright line: by chance", loc="left")


def _draw_scores(figure: Figure, top: float, rows: pd.DataFrame, looks: Mapping[Route, Look]) -> None:
    """Draw the scores of each task, those with more known beforehand below those with less."""
    tasks = sorted(
        rows["task"].unique(), key=lambda task: ([*TASKS].index(task) if task in TASKS else -1, task)
    )
    k = rows.loc[rows["task"] == KNN, "k"].max()
    titles = [TASKS.get(task, f"{task} probe") + (f", k = {k}" if task == KNN else "") for task in tasks]
    axes, routes = _panels(figure, top, rows, looks, titles)
    for axis, task in zip(axes, tasks, strict=True):
        of_task = rows[rows["task"] == task]
        units = [unit for unit in UNITS if unit in set(of_task["apart"])]
        for place, route in enumerate(routes):
            mine = of_task[(of_task["backbone"] == route[0]) & (of_task["strategy"] == route[1])]
            mine = mine.set_index("apart").reindex([unit for unit in units if unit in set(mine["apart"])])
            steps = {
                unit: place + STEP * (number - (len(units) - 1) / 2) for number, unit in enumerate(units)
            }
            heights = [steps[unit] for unit in mine.index]
            axis.plot(mine["mean"], heights, color=looks[route]["color"], linewidth=0.5, alpha=0.6)
            for height, (unit, row) in zip(heights, mine.iterrows(), strict=True):
                _draw_value(axis, height, row, looks[route], MARKS[unit])
    policies = " and ".join(sorted(rows["label_policy"].unique()))
    axes[0].set_xlabel(f"macro F1, {policies} labels", loc="left")


def _draw_value(axis: Axes, place: float, row: pd.Series, look: Look, mark: str) -> None:
    """Draw a mean, and a bar from low to high where both are known."""
    face = look.get("markerfacecolor", look["color"])
    axis.hlines(place, row["low"], row["high"], color=look["color"], linewidth=0.8, alpha=0.6)
    style = {"color": look["color"], "markerfacecolor": face, "markersize": 3.0, "clip_on": False}
    axis.plot([row["mean"]], [place], marker=mark, zorder=3, **style)


def _draw_legend(figure: Figure, top: float, rows: pd.DataFrame) -> None:
    """Say at the head what the marks are."""
    y = 1 - (top + 1.2) / (figure.get_figheight() / MM)
    left = EDGE_MM + 1.0
    for unit in UNITS:
        if unit in set(rows["apart"]):
            line = Line2D([left / WIDTH_MM], [y], marker=MARKS[unit], color=INK, markersize=3.0)
            figure.add_artist(line)
            words = KNOWN[unit]
            figure.text((left + 2.0) / WIDTH_MM, y, words, va="center_baseline", fontsize=SMALL_PT)
            left += 6.0 + 1.1 * len(words)
