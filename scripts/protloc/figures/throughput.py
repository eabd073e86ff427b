"""How fast each backbone embedded fields and cells, and how much of what the device can do that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, LogLocator, NullFormatter

from protloc.figures.names import LETTER_MM
from protloc.figures.style import COLOURS, EDGE_MM, GREY, MM, SMALL_PT, WIDTH_MM, note, sheet, write

LEVELS = {"fov": "Fields of view", "cell": "Single cells"}
HEADING, ROW, AXIS, GAP, FOOT, VALUE = 5.5, 4.6, 11.0, 6.0, 8.0, 9.0  # mm; room for a number beside a bar
SPEED, SHARE = "images_per_second", "share_of_peak"
WIDTHS = (1.5, 1.0)  # of the panels of speeds and of shares
NO_SHARE = "No step knows a peak of its device, so there is no share of it."
NOTE = (
    "Peak: of large products of matrices, which each step measures on its own device.\n"
    "More than 100 %: other work disturbed that measurement."
)


def draw_throughput(
    speeds: pd.DataFrame, titles: Mapping[str, str], simulated: bool, outputs: Sequence[Path]
) -> None:
    """Write the figure: a part per level, a row per backbone; left images a second, right share of the peak.

    `speeds` are those of the function of this name, `titles` are by backbone. Without a known peak there are
    no shares, and the figure says so.
    """
    levels = [level for level in LEVELS if level in set(speeds["level"])]
    machines = list(dict.fromkeys(_machine(row) for _, row in speeds.iterrows()))
    colours = dict(zip(machines, COLOURS * len(machines), strict=False))
    several = machines if len(machines) > 1 else []
    known = speeds[SHARE].notna().any()
    parts = [HEADING + (speeds["level"] == level).sum() * ROW + AXIS for level in levels]
    lines = [f"Made on {machine}." for machine in machines if not several]
    lines = [" ".join([*lines, NOTE if known else NO_SHARE])]
    with sheet(EDGE_MM + sum(parts) + FOOT + len(several) * ROW, outputs) as figure:
        top = EDGE_MM
        for level, height in zip(levels, parts, strict=True):
            write(figure, LEVELS[level], top, fontweight="bold")
            rows = speeds[speeds["level"] == level].set_index("backbone")
            rows = rows.loc[[name for name in titles if name in rows.index]]
            bars = [colours[_machine(row)] for _, row in rows.iterrows()]
            axes = _panels(figure, top + HEADING, [titles[name] for name in rows.index], titles, known)
            _draw_speeds(axes[0], rows[SPEED].to_numpy(), bars, level, speeds[SPEED])
            if known:
                _draw_shares(axes[1], rows[SHARE].to_numpy(), bars, speeds[SHARE])
            top += height
        for machine in several:
            write(figure, f"■ {machine}", top, color=colours[machine])
            top += ROW
        note(figure, lines[0], simulated)


def _machine(row: pd.Series) -> str:
    """What a step ran on."""
    threads = f", {row['threads']} {'thread' if row['threads'] == 1 else 'threads'}"
    return f"{row['device'] if pd.notna(row['device']) else 'an unnamed device'}{threads}"


def _panels(
    figure: Figure, top: float, names: Sequence[str], titles: Mapping[str, str], known: bool
) -> list[Axes]:
    """Axes beside each other with a place for each of `names`, which are written at the left."""
    left = EDGE_MM + LETTER_MM * max(map(len, titles.values())) + 3.0
    count, room = 1 + known, WIDTH_MM - EDGE_MM - left - GAP * known - VALUE
    shares = np.array(WIDTHS[:count]) / sum(WIDTHS[:count])
    height, sheet_mm = len(names) * ROW, figure.get_figheight() / MM
    axes = []
    for number, width in enumerate(shares * room):
        where = (left / WIDTH_MM, 1 - (top + height) / sheet_mm, width / WIDTH_MM, height / sheet_mm)
        axis = figure.add_axes(where)
        axis.set(ylim=(len(names) - 0.5, -0.5))
        axis.set_yticks(range(len(names)), names)
        axis.tick_params(axis="y", length=0, labelleft=number == 0)
        axis.grid(axis="x", color="#eeeeee", linewidth=0.5)
        axis.set_axisbelow(True)
        left += width + GAP
        axes.append(axis)
    return axes


def _draw_speeds(
    axis: Axes, values: np.ndarray, colours: Sequence[str], level: str, everywhere: pd.Series
) -> None:
    """Draw images a second, on a scale that holds those of all levels."""
    images = {"fov": "fields", "cell": "cells"}[level]
    known = everywhere.dropna() if everywhere.notna().any() else pd.Series([1.0])
    axis.set(xscale="log", xlim=(10 ** np.floor(np.log10(0.9 * known.min())), 3 * known.max()))
    axis.xaxis.set_major_locator(LogLocator())
    axis.xaxis.set_major_formatter(LogFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel(f"{images} a second", loc="left")
    for place, value in enumerate(values):
        if np.isfinite(value):  # a bar would need a 0, which a logarithm has not
            axis.plot([value], [place], marker="o", color=colours[place])
            number = f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
            axis.annotate(
                number, (value, place), (4, 0), textcoords="offset points", fontsize=SMALL_PT, va="center"
            )
        else:
            axis.text(axis.get_xlim()[0], place, " not measured", fontsize=SMALL_PT, va="center", color=GREY)


def _draw_shares(axis: Axes, values: np.ndarray, colours: Sequence[str], everywhere: pd.Series) -> None:
    """Draw shares of the peak as bars from 0."""
    axis.set_xlim(0, max(1.0, everywhere.max()))
    axis.set_xticks([0, 0.5, 1], ["0", "50", "100"])
    axis.set_xlabel("share of the device's peak, %", loc="left")
    places = np.flatnonzero(np.isfinite(values))
    axis.barh(places, values[places], height=0.62, color=[colours[place] for place in places])
    ends = axis.get_xlim()[1] * 0.015
    for place, value in enumerate(values):
        known = np.isfinite(value)
        words, look = (f"{value:.0%}".replace("%", " %"), {}) if known else ("no peak", {"color": GREY})
        at = (value if known else 0) + ends
        axis.text(at, place, words, fontsize=SMALL_PT, va="center", **look)
