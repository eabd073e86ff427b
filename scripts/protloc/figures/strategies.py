"""Macro F1 of each backbone and channel strategy with all of the labelled data."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from protloc.figures.asked import Asked, routes_of
from protloc.figures.looks import MARKERS, Look
from protloc.figures.panels import POLICIES, UNITS, amount, counted_seeds, of_panel, units_and_policies
from protloc.figures.rows import NAME_MM, NEAR, NONE, Rows
from protloc.figures.style import COLOURS, EDGE_MM, GREY, MM, SMALL_PT, WIDTH_MM, missing, note, plain, sheet
from protloc.variants import parse

TOP, LEGEND, TITLE, BOTTOM, LINE, GAP, BETWEEN, EMPTY = 3.5, 4.5, 3.2, 11.0, 2.7, 9.0, 7.0, 30.0  # mm
HALF = 2.0  # mm: half of the last number below an axis
SLOT, ALONE = 1.75, 3.5  # mm: height of a row, and of the row of a backbone's only strategy
WORD_PT = 2.55  # size of words in a row, pt a mm of its height
LETTERS = 112  # of a line of the note
COMMON, OWN, RULE = "#ececec", "#c9c9c9", "#dddddd"  # bands of all backbones and of one; lines between rows
LEAST = 0.004  # macro F1: the width of a band that would else not be seen


def draw_strategies(
    scores: pd.DataFrame,
    asked: Asked,
    untrained: Mapping[str, str],
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the figure: a column per split unit, a row per label policy, a dot per backbone and strategy.

    `scores` are those of `full_scores`; `untrained` names the untrained network of a backbone, which is
    a band behind it. What was asked for and has no score is named.
    """
    behind = {untrained[name] for name in asked.strategies if name in untrained}
    routes = [route for route in asked.routes if route[0] not in behind]
    rows = Rows(routes, asked, SLOT if asked.several else ALONE)
    units, policies = units_and_policies(scores)
    lines = _lines(scores, asked, bool(behind & set(scores["backbone"])))
    bottom = BOTTOM + LINE * len(lines)
    title = TITLE * (1 + (len(policies) > 1))
    top = TOP + LEGEND * asked.several + title
    height = top + bottom + len(policies) * (rows.height + GAP + title) - GAP - title if policies else EMPTY
    with sheet(height, outputs) as figure:
        if policies:
            looks = _looks(asked)
            axes = _axes(figure, (len(policies), len(units)), top, bottom, (GAP + title) / rows.height)
            for across, policy in zip(axes, policies, strict=True):
                for axis, unit in zip(across, units, strict=True):
                    words = UNITS[unit] + (f"\n{POLICIES[policy]}" if len(policies) > 1 else "")
                    axis.set_title(words, loc="left")
                    _panel(axis, of_panel(scores, unit, policy), rows, looks, untrained)
                rows.name(across[0])
            for axis in axes[-1]:
                axis.set_xlabel("macro F1")
            if asked.several:
                _name_looks(figure, looks)
        else:
            missing(figure, "No backbone has a macro F1: there is nothing to compare.")
        note(figure, "\n".join(lines), simulated)


def _axes(figure: Figure, shape: tuple[int, int], top: float, bottom: float, apart: float) -> np.ndarray:
    """The panels (down, across) between `top` and `bottom` mm, `apart` of their height between them."""
    height, left = figure.get_figheight() / MM, NAME_MM + EDGE_MM
    axes = figure.subplots(*shape, squeeze=False)
    right = WIDTH_MM - EDGE_MM - HALF
    width = (right - left - (shape[1] - 1) * BETWEEN) / shape[1]
    figure.subplots_adjust(
        left=left / WIDTH_MM,
        right=right / WIDTH_MM,
        top=1 - top / height,
        bottom=bottom / height,
        wspace=BETWEEN / width,
        hspace=apart,
    )
    return axes


def _looks(asked: Asked) -> dict[str, Look]:
    """The look of each strategy, the same for all draws of a random mapping and at all scales."""
    names = dict.fromkeys(parse(name).family for _, name in asked.routes if name != NONE)
    return {
        name: {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
        for number, name in enumerate(names)
    }


def _panel(
    axis: Axes, scores: pd.DataFrame, rows: Rows, looks: Mapping[str, Look], untrained: Mapping[str, str]
) -> None:
    """Draw bands of controls, and on them a dot with its interval in each row."""
    of_route = {(row.backbone, row.strategy): row for row in scores.itertuples() if not np.isnan(row.mean)}
    for (_, above), (below, _) in pairwise(rows.groups.values()):
        axis.axhline((above + below) / 2, color=RULE, linewidth=0.4, zorder=0.5)
    for route, sides in rows.sides.items():
        own = of_route.get((untrained.get(route[0]), route[1]))
        if own:
            _band(axis, own, sides, OWN, 0.2)
        if route in of_route:
            look = looks.get(parse(route[1]).family, {"color": GREY, "marker": "D"})
            _dot(axis, of_route[route], sum(sides) / 2, look, rows)
            _name_scale(axis, of_route[route], sum(sides) / 2, look, rows)
        else:
            place = {"textcoords": "offset points", "va": "center_baseline"}
            words = {"color": GREY, "fontsize": min(SMALL_PT, WORD_PT * rows.slot)}
            axis.annotate("no score", (0, sum(sides) / 2), (3, 0), **place, **words)
    axis.set(xlim=(0, 1), xticks=np.linspace(0, 1, 6), ylim=(rows.height, 0), yticks=[])
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x", color=RULE, linewidth=0.5)
    axis.set_axisbelow(True)


def _dot(axis: Axes, row: Any, middle: float, look: Look, rows: Rows) -> None:
    """Draw a score with its interval; that of a control without a strategy is a band behind all rows."""
    if row.control:
        look = look | {"color": GREY, "markerfacecolor": "white"}
        if row.strategy == NONE:
            _band(axis, row, (0, rows.height), COMMON, 0.1)
    axis.hlines(middle, row.low, row.high, color=look["color"], linewidth=1.0, zorder=3)
    axis.plot([row.mean], [middle], linestyle="", clip_on=False, zorder=4, **look)


def _name_scale(axis: Axes, row: Any, middle: float, look: Look, rows: Rows) -> None:
    """Write the scale beside a score, if it is not the backbone's own."""
    scale = parse(row.strategy).scale
    if scale != 1:
        end = row.mean if np.isnan(row.high) else row.high
        size = min(SMALL_PT, WORD_PT * rows.slot)
        place = {"textcoords": "offset points", "va": "center_baseline", "fontsize": size}
        axis.annotate(f"×{scale:g}", (end, middle), (2, 0), color=look["color"], **place)


def _band(axis: Axes, row: Any, sides: tuple[float, float], colour: str, order: float) -> None:
    """Fill from the lower to the upper bound of a control, or at its mean where it has no bounds."""
    low, high = (row.mean if np.isnan(bound) else bound for bound in (row.low, row.high))
    more = max(0.0, LEAST - (high - low)) / 2
    axis.fill_betweenx(sides, low - more, high + more, color=colour, linewidth=0, zorder=order)


def _name_looks(figure: Figure, looks: Mapping[str, Look]) -> None:
    """Write the strategies with their marks along the upper side."""
    marks = [Line2D([], [], linestyle="", label=plain(name), **look) for name, look in looks.items()]
    place = ((EDGE_MM - NEAR) / WIDTH_MM, 1 - NEAR / (figure.get_figheight() / MM))
    spaces = {"borderpad": 0, "borderaxespad": 0, "handletextpad": 0.2, "columnspacing": 1.5}
    options = {"loc": "upper left", "bbox_to_anchor": place, "frameon": False}
    figure.legend(handles=marks, ncols=len(marks), **options, **spaces)


def _lines(scores: pd.DataFrame, asked: Asked, bands: bool) -> list[str]:
    """What the note says: how much is behind the dots, what the bands are, and what is not there."""
    said: list[str] = []
    if len(scores):
        seeds = counted_seeds(scores["runs"])
        said += [f"Frozen probes, {amount(scores)}. Means over {seeds}; lines: 95 % intervals by"]
        said += [f"bootstrap over proteins.{_bands(scores, bands)}"]
        if any(parse(name).scale != 1 for _, name in asked.routes):
            said += ["×2: shown at twice the backbone's own px per µm."]
    bare = scores[scores[["low", "high"]].isna().any(axis=1)]
    said += asked.lacking(scores, "mean", "a score")
    said += asked.without(routes_of(bare[bare["mean"].notna()]), "an interval")
    return textwrap.wrap(" ".join(said), LETTERS)


def _bands(scores: pd.DataFrame, own: bool) -> str:
    """What the bands are, of those that there are."""
    common = (scores["control"] & (scores["strategy"] == NONE)).any()
    kinds = {"dark, the same network untrained": own, "light, those in grey rows": common}
    there = [kind for kind, drawn in kinds.items() if drawn]
    return f" Grey bands: intervals of controls ({'; '.join(there)})." if there else ""
