"""Macro F1 against the share of the labelled data that was used."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from protloc.errors import InputError
from protloc.figures.looks import Look, Route, looks_of_routes
from protloc.figures.names import name_lines, room
from protloc.figures.panels import POLICIES, UNITS, of_panel, units_and_policies
from protloc.figures.style import WIDTH_MM, note, sheet

COLUMNS = ["split_unit", "label_policy", "task", "backbone", "strategy", "fraction"]
COLUMNS += ["runs", "mean", "sd", "low", "high"]
LEFT, TOP, BOTTOM, GAP, PANEL = 12.0, 7.0, 17.0, 7.0, 62.0  # mm
NOTE = "Means over {seeds} seeds; 95 % intervals by bootstrap over proteins. Grey: controls."
TUNED = "finetune"
TUNED_NOTE = " Hollow, dotted: fine-tuned."
NAMED = 16  # lines that names have room for
NAMED_NOTE = "Named: each backbone's best strategy; thin: {others} others."
OTHERS = {"color": "#c4c4c4", "linewidth": 0.4, "zorder": 1}
NARROW, TITLE, LINE = 60.0, 3.2, 2.7  # mm: a panel whose title needs a second line; it; one of the note
TUNED_LOOK = {"linestyle": ":", "markerfacecolor": "white", "markersize": 5.0}


def scores_over_fractions(summary: pd.DataFrame, task: str) -> pd.DataFrame:
    """What the figure shows of the table `summary`: macro F1 of `task`, and of fine-tuning beside it.

    Raises InputError if there is none of the task.
    """
    shown = summary[summary["metric"].eq("macro_f1") & summary["task"].isin([task, TUNED])]
    if not (shown["task"] == task).any():
        raise InputError("summary.parquet: metric: no macro_f1 to draw; run again with --forcerun evaluate")
    return shown.sort_values(COLUMNS[:6])[COLUMNS].reset_index(drop=True)


def draw_fractions(
    scores: pd.DataFrame,
    task: str,
    titles: Mapping[str, str],
    controls: Collection[str],
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the figure: a column per split unit, a row per label policy, a line per backbone and strategy.

    `scores` are those of `scores_over_fractions`; `titles` and `controls` are by backbone. Of many strategies
    the best of each backbone has a name, the others are thin lines.
    """
    frozen = scores[scores["task"] == task]
    units, policies = units_and_policies(frozen)
    looks = looks_of_routes(frozen, titles, controls)
    named = {route: looks[route] for route in _named(of_panel(frozen, units[0], policies[0]), [*looks])}
    right = WIDTH_MM - room([str(look["label"]) for look in named.values()])
    narrow = (right - LEFT) / len(units) < NARROW
    top = TOP + TITLE * narrow
    others = len(looks) - len(named)
    bottom = BOTTOM + LINE * (others > 0)
    height = top + bottom + len(policies) * PANEL + (len(policies) - 1) * GAP
    with sheet(height, outputs) as figure:
        axes = figure.subplots(len(policies), len(units), squeeze=False, sharex=True, sharey=True)
        figure.subplots_adjust(
            left=LEFT / WIDTH_MM,
            right=right / WIDTH_MM,
            top=1 - top / height,
            bottom=bottom / height,
            wspace=0.08,
            hspace=GAP / PANEL,
        )
        for axis, unit in zip(axes[0], units, strict=True):
            axis.set_title(UNITS[unit].replace(" (", "\n(") if narrow else UNITS[unit], loc="left")
        for row, policy in zip(axes, policies, strict=True):
            for axis, unit in zip(row, units, strict=True):
                _panel(axis, of_panel(scores, unit, policy), task, named)
            row[0].set_ylabel("macro F1" + (f", {POLICIES[policy]}" if len(policies) > 1 else ""))
            last = of_panel(scores, units[-1], policy)
            ends = ((look, _line(last, task, route)["mean"].iloc[-1:]) for route, look in named.items())
            name_lines(row[-1], [(end, look) for look, means in ends for end in means])
        middle = (LEFT + right) / 2 / WIDTH_MM
        figure.supxlabel(
            "labelled training data used (%)", x=middle, y=(bottom - 10) / height, fontsize="medium"
        )
        said = NOTE.format(seeds=frozen["runs"].max())
        said += TUNED_NOTE if (scores["task"] == TUNED).any() else ""
        said += "\n" + NAMED_NOTE.format(others=others) if others else ""
        note(figure, said, simulated, LEFT)


def _named(scores: pd.DataFrame, routes: Sequence[Route]) -> list[Route]:
    """The routes that have a name: all, or of many the one of each backbone that is best in the end."""
    if len(routes) <= NAMED:
        return [*routes]
    ranked = scores.sort_values(["fraction", "mean"], ascending=False, kind="stable")
    best = ranked.drop_duplicates("backbone")[:NAMED]
    chosen = set(zip(best["backbone"], best["strategy"], strict=True))
    return [route for route in routes if route in chosen]


def _panel(axis: Axes, scores: pd.DataFrame, task: str, looks: Mapping[Route, Look]) -> None:
    """Draw the lines that have looks, their intervals as bars, a little apart; those of other routes thin."""
    for route, line in scores[scores["task"] == task].groupby(["backbone", "strategy"]):
        if route not in looks:
            axis.plot(line["fraction"], line["mean"], **OTHERS)
    for number, (route, look) in enumerate(looks.items()):
        solid = {name: value for name, value in look.items() if name != "dashes"}
        for of_task, own in ((task, look), (TUNED, solid | TUNED_LOOK)):
            line = _line(scores, of_task, route)
            apart = 1.025 ** (number + 1.5 * (of_task == TUNED) - (len(looks) - 1) / 2)
            x = line["fraction"].to_numpy() * apart
            axis.vlines(x, line["low"], line["high"], color=look["color"], linewidth=0.8, alpha=0.6)
            axis.plot(x, line["mean"], clip_on=False, **own)
    fractions = sorted(scores["fraction"].unique())
    axis.set(xscale="log", ylim=(0, 1))
    axis.set_xticks(fractions, [f"{100 * fraction:g}" for fraction in fractions], minor=False)
    axis.set_xticks([], minor=True)
    axis.set_yticks(np.linspace(0, 1, 6))
    axis.grid(axis="y", color="#eeeeee", linewidth=0.5)
    axis.set_axisbelow(True)


def _line(scores: pd.DataFrame, task: str, route: Route) -> pd.DataFrame:
    backbone, strategy = route
    mine = (scores["task"] == task) & (scores["backbone"] == backbone) & (scores["strategy"] == strategy)
    return scores[mine].sort_values("fraction")
