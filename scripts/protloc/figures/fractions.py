"""Macro F1 against the number of labelled proteins: by fractions of the training part, or few-shot."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from protloc.choices import CHOSEN_BY, ranked, with_validation
from protloc.errors import InputError
from protloc.figures.looks import Look, Route, looks_of_routes
from protloc.figures.names import name_lines, room
from protloc.figures.panels import POLICIES, UNITS, of_panel, units_and_policies
from protloc.figures.style import WIDTH_MM, note, sheet

COLUMNS = ["split_unit", "label_policy", "task", "backbone", "strategy", "fraction", "shots"]
COLUMNS += [
    "groups_trained",
    "images_trained",
    "labels_trained",
    "runs",
    "mean",
    "sd",
    "low",
    "high",
    CHOSEN_BY,
]
LEFT, TOP, BOTTOM, GAP, PANEL = 12.0, 7.0, 20.0, 12.0, 62.0  # mm
NEAR = 0.07  # of an axis: numbers below it that are closer are written as one
NOTE = "Means over {seeds} seeds; 95 % intervals by bootstrap over proteins. Grey: controls."
TUNED = "finetune"
TUNED_NOTE = " Hollow, dotted: fine-tuned."
NAMED = 16  # lines that names have room for
NAMED_NOTE = "Named: each backbone's best strategy on validation; thin: {others} others."
OTHERS = {"color": "#c4c4c4", "linewidth": 0.4, "zorder": 1}
NARROW, TITLE, LINE = 60.0, 3.2, 2.7  # mm: a panel whose title needs a second line; it; one of the note
TUNED_LOOK = {"linestyle": ":", "markerfacecolor": "white", "markersize": 5.0}


@dataclass(frozen=True)
class Design:
    """How training data was cut down: the column that says by how much, and the one that the axis has.

    words: of the axis. ticks: the lines below a tick, of its amounts and of its numbers of proteins.
    """

    column: str
    axis: str
    words: str
    ticks: str


DESIGNS = {
    "fractions": Design(
        "fraction",
        "groups_trained",
        "labelled proteins trained on; below: share of the training part",
        "{1}\n{0} %",
    ),
    "shots": Design(
        "shots",
        "shots",
        "few-shot: proteins (or fields) of each class; below: proteins trained on",
        "{0}\n{1}",
    ),
}


def scores_over(design: Design, summary: pd.DataFrame, task: str) -> pd.DataFrame:
    """What the figure shows of the table `summary`: macro F1 of `task`, and of fine-tuning beside it.

    Raises InputError if there is none of the task.
    """
    few_shot = design.column == "shots"
    shown = summary[(summary["shots"] > 0) == few_shot]
    shown = shown[shown["metric"].eq("macro_f1") & shown["task"].isin([task, TUNED])]
    if not (shown["task"] == task).any():
        raise InputError("summary.parquet: metric: no macro_f1 to draw; run again with --forcerun evaluate")
    return with_validation(shown).sort_values(COLUMNS[:7])[COLUMNS].reset_index(drop=True)


def draw_fractions(
    scores: pd.DataFrame,
    design: Design,
    task: str,
    titles: Mapping[str, str],
    controls: Collection[str],
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the figure: a column per split unit, a row per label policy, a line per backbone and strategy.

    `scores` are those of `scores_over` for that design; `titles` and `controls` are by backbone. Of many
    strategies the best of each backbone on validation has a name, the others are thin.
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
        axes = figure.subplots(len(policies), len(units), squeeze=False, sharey=True)
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
                _panel(axis, of_panel(scores, unit, policy), task, named, design)
            row[0].set_ylabel("macro F1" + (f", {POLICIES[policy]}" if len(policies) > 1 else ""))
            last = of_panel(scores, units[-1], policy)
            ends = ((look, _line(last, task, route)["mean"].iloc[-1:]) for route, look in named.items())
            name_lines(row[-1], [(end, look) for look, means in ends for end in means])
        middle = (LEFT + right) / 2 / WIDTH_MM
        figure.supxlabel(design.words, x=middle, y=(bottom - 13) / height, fontsize="medium")
        said = NOTE.format(seeds=frozen["runs"].max())
        said += TUNED_NOTE if (scores["task"] == TUNED).any() else ""
        said += "\n" + NAMED_NOTE.format(others=others) if others else ""
        note(figure, said, simulated, LEFT)


def _named(scores: pd.DataFrame, routes: Sequence[Route]) -> list[Route]:
    """The routes that have a name: all, or of many the best of each backbone on validation, in the end."""
    if len(routes) <= NAMED:
        return [*routes]
    in_the_end = scores[["fraction", "shots"]].eq(scores[["fraction", "shots"]].max()).all(axis=1)
    best = ranked(scores[in_the_end]).drop_duplicates("backbone")[:NAMED]
    chosen = set(zip(best["backbone"], best["strategy"], strict=True))
    return [route for route in routes if route in chosen]


def _panel(axis: Axes, scores: pd.DataFrame, task: str, looks: Mapping[Route, Look], design: Design) -> None:
    """Draw the lines that have looks, their intervals as bars, a little apart; those of other routes thin."""
    for route, line in scores[scores["task"] == task].groupby(["backbone", "strategy"]):
        if route not in looks:
            axis.plot(line[design.axis], line["mean"], **OTHERS)
    for number, (route, look) in enumerate(looks.items()):
        solid = {name: value for name, value in look.items() if name != "dashes"}
        for of_task, own in ((task, look), (TUNED, solid | TUNED_LOOK)):
            line = _line(scores, of_task, route)
            apart = 1.025 ** (number + 1.5 * (of_task == TUNED) - (len(looks) - 1) / 2)
            x = line[design.axis].to_numpy() * apart
            axis.vlines(x, line["low"], line["high"], color=look["color"], linewidth=0.8, alpha=0.6)
            axis.plot(x, line["mean"], clip_on=False, **own)
    axis.set(xscale="log", ylim=(0, 1))
    places, words = zip(*_ticks(scores, design), strict=True)
    axis.set_xticks(places, words, minor=False)
    axis.set_xticks([], minor=True)
    axis.set_yticks(np.linspace(0, 1, 6))
    axis.grid(axis="y", color="#eeeeee", linewidth=0.5)
    axis.set_axisbelow(True)


def _ticks(scores: pd.DataFrame, design: Design) -> Iterator[tuple[float, str]]:
    """Yield the place and the words of each tick; amounts whose places are too close share one."""
    table = (
        scores.assign(place=scores[design.axis]).groupby(design.column)[["place", "groups_trained"]].mean()
    )
    table = table.sort_values("place")
    amounts = 100 * table.index if design.column == "fraction" else table.index
    places = np.log(table["place"].to_numpy(float))
    alone = np.diff(places, prepend=-np.inf) > NEAR * max(np.ptp(places), 1e-9)
    for number in range(int(alone.sum())):
        mine = np.cumsum(alone) - 1 == number
        proteins = dict.fromkeys(f"{count:.0f}" for count in table.loc[mine, "groups_trained"])
        shares = ", ".join(f"{amount:g}" for amount in amounts[mine])
        yield float(np.exp(places[mine].mean())), design.ticks.format(shares, "–".join(proteins))


def _line(scores: pd.DataFrame, task: str, route: Route) -> pd.DataFrame:
    backbone, strategy = route
    mine = (scores["task"] == task) & (scores["backbone"] == backbone) & (scores["strategy"] == strategy)
    return scores[mine].sort_values(["fraction", "shots"])
