"""Macro F1 of networks before and after they were fine-tuned, and whether the two can be told apart."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from protloc.choices import CHOSEN_BY, reported, with_validation
from protloc.figures.asked import Asked, routes_of
from protloc.figures.looks import Look, Route, looks_of_routes
from protloc.figures.panels import POLICIES, UNITS, counted_seeds, of_panel, units_and_policies
from protloc.figures.style import EDGE_MM, GREY, MM, SMALL_PT, WIDTH_MM, missing, note, sheet

FROZEN, TUNED, METRIC = "finetune_epoch_0", "finetune", "macro_f1"
SETTING = ["split_unit", "label_policy", "fraction", "backbone", "strategy"]
SCORE = ["runs", "mean", "low", "high", CHOSEN_BY]
DIFFERENCE = ["difference", "low", "high", "p_holm"]  # of `comparisons`
SIDES = ("frozen", "tuned")
COLUMNS = [*SETTING, *(f"{side}_{name}" for side in SIDES for name in SCORE)]
COLUMNS += ["difference", "difference_low", "difference_high", "p_holm"]
FRACTIONS, NAMED = 3, 8  # the largest that have a panel; how many routes have a name
ABOUT = "fine-tuned minus frozen (95 % interval)"
TOLD = 0.05  # p below which two can be told apart
TOP, TITLE, PANEL, TICKS, HEADING, GAP, BOTTOM, EMPTY = 3.0, 4.0, 44.0, 6.0, 3.4, 5.0, 4.0, 30.0  # mm
LINE, APART, BETWEEN, WIDEST, NAMES = 2.6, 1.2, 3.0, 80.0, 54.0  # mm: of text, and between; panels; names
SAMPLE = np.array([0.0, 3.0, 6.0])  # mm: where the sample of a line begins, is marked and ends
LETTERS, NOTE_LETTERS = 38, 112  # of a line of a name, and of the note
OTHERS = {"color": "#bdbdbd", "linewidth": 0.5, "zorder": 1}


def tuned_pairs(summary: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """What the figure shows: each route's macro F1 frozen (at epoch 0) and tuned, with their difference.

    A row per setting that both have, at the largest FRACTIONS of each split unit and label policy. `summary`
    and `comparisons` are the tables of those names; what these do not compare has no difference.
    """
    scores = reported(with_validation(summary[(summary["metric"] == METRIC) & summary["mean"].notna()]))
    scores = scores.set_index(SETTING)
    frozen, tuned = (
        scores.loc[scores["task"] == of_task, SCORE].add_prefix(f"{side}_")
        for side, of_task in zip(SIDES, (FROZEN, TUNED), strict=True)
    )
    trained = (comparisons["compared"] == "training") & (comparisons["metric"] == METRIC)
    against = (comparisons["task"] == TUNED) & (comparisons["other_task"] == FROZEN)
    compared = reported(comparisons[trained & against]).set_index(SETTING)[DIFFERENCE]
    compared.columns = COLUMNS[-len(DIFFERENCE) :]
    pairs = frozen.join(tuned, how="inner").join(compared).reset_index().sort_values(SETTING)
    place = pairs.groupby(SETTING[:2])["fraction"].rank(method="dense", ascending=False)
    return pairs.loc[place <= FRACTIONS, COLUMNS].reset_index(drop=True)


def draw_tuned(
    pairs: pd.DataFrame,
    asked: Asked,
    routes: Sequence[Route],
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the figure: a row per split unit and label policy, a panel per fraction, differences below it.

    `pairs` are those of `tuned_pairs`, `routes` those that were to be fine-tuned. Of many the best are named.
    What was asked for and is not there is named.
    """
    units, policies = units_and_policies(pairs)
    settings = [both for both in product(units, policies) if len(of_panel(pairs, *both))]
    named = _named(pairs, asked, settings)
    looks = looks_of_routes(pd.DataFrame(asked.routes, columns=SETTING[3:]), asked.titles, asked.controls)
    names = {route: textwrap.wrap(asked.called(route), LETTERS) for route in named}
    rows = np.cumsum([0.0, *(max(2, len(lines)) * LINE + APART for lines in names.values())])
    pitch = TITLE + PANEL + TICKS + HEADING + rows[-1] + GAP
    lines = _lines(pairs, asked, routes, len(named))
    height = TOP + len(settings) * pitch + BOTTOM + LINE * len(lines) if settings else EMPTY
    with sheet(height, outputs) as figure:
        for number, setting in enumerate(settings):
            top = TOP + number * pitch + TITLE
            below = top + PANEL + TICKS + HEADING
            heads = {route: below + row for route, row in zip(named, rows, strict=False)}
            _write(figure, EDGE_MM, top, _heading(*setting, len(policies)))
            _write(figure, EDGE_MM, below - HEADING, ABOUT, color=GREY, fontsize=SMALL_PT)
            for route, head in heads.items():
                _name(figure, head, names[route], looks[route])
            of_setting = of_panel(pairs, *setting)
            fractions = sorted(of_setting["fraction"].unique())
            wide = min((WIDTH_MM - NAMES - EDGE_MM + BETWEEN) / len(fractions) - BETWEEN, WIDEST)
            for column, fraction in enumerate(fractions):
                left = NAMES + column * (wide + BETWEEN)
                of_fraction = of_setting[of_setting["fraction"] == fraction]
                axis = _axes(figure, left, top, wide)
                axis.set_title(f"{100 * fraction:g} % of the labelled data", loc="left")
                _panel(axis, of_fraction, looks, named, first=column == 0)
                found = {(row.backbone, row.strategy): row for row in of_fraction.itertuples()}
                for route, head in heads.items():
                    _write(figure, left, head, in_words(found.get(route)), fontsize=SMALL_PT)
        if not settings:
            missing(figure, "No network was scored both frozen and fine-tuned: there is nothing to compare.")
        note(figure, "\n".join(lines), simulated)


def _named(pairs: pd.DataFrame, asked: Asked, settings: Sequence[tuple[str, str]]) -> list[Route]:
    """The routes that have a name: those best on validation when fine-tuned, in the order of the study.

    The largest fraction of the first panels decides, then smaller ones, then the next panels.
    """
    order = {"by": ["fraction", f"tuned_{CHOSEN_BY}"], "ascending": False, "kind": "stable"}
    ranked = [route for both in settings for route in routes_of(of_panel(pairs, *both).sort_values(**order))]
    chosen = [*dict.fromkeys(ranked)][:NAMED]
    return [route for route in asked.routes if route in chosen]


def _heading(unit: str, policy: str, policies: int) -> str:
    """The split unit and, where there are several, the label policy, in short lines."""
    return UNITS[unit].replace(" (", "\n(") + (f"\n{POLICIES[policy]}" if policies > 1 else "")


def _axes(figure: Figure, left: float, top: float, width: float) -> Axes:
    height = figure.get_figheight() / MM
    return figure.add_axes((left / WIDTH_MM, 1 - (top + PANEL) / height, width / WIDTH_MM, PANEL / height))


def _panel(
    axis: Axes, rows: pd.DataFrame, looks: Mapping[Route, Look], named: Sequence[Route], first: bool
) -> None:
    """Draw a line from frozen to fine-tuned for each route, those with names with intervals."""
    for row in rows.itertuples():
        route = (row.backbone, row.strategy)
        ends = np.array([row.frozen_mean, row.tuned_mean])
        if route in named:
            look = {name: value for name, value in looks[route].items() if name != "label"}
            x = np.array([0, 1]) + 0.035 * (named.index(route) - (len(named) - 1) / 2)
            bounds = ([row.frozen_low, row.tuned_low], [row.frozen_high, row.tuned_high])
            axis.vlines(x, *bounds, color=look["color"], linewidth=0.8, alpha=0.6)
            axis.plot(x, ends, clip_on=False, **look)
        else:
            axis.plot([0, 1], ends, **OTHERS)
    axis.set(xlim=(-0.35, 1.35), ylim=(0, 1), yticks=np.linspace(0, 1, 6))
    axis.set_xticks([0, 1], ["frozen", "fine-tuned"])
    axis.grid(axis="y", color="#eeeeee", linewidth=0.5)
    axis.set_axisbelow(True)
    if first:
        axis.set_ylabel("macro F1")
    else:
        axis.set_yticklabels([])


def _name(figure: Figure, top: float, lines: Sequence[str], look: Look) -> None:
    """Write a route's name with a sample of its line at the left edge."""
    height = figure.get_figheight() / MM
    x, y = (EDGE_MM + SAMPLE) / WIDTH_MM, [1 - (top + LINE / 2) / height] * 3
    figure.add_artist(Line2D(x, y, markevery=[1], **look))
    _write(figure, EDGE_MM + SAMPLE[-1] + 1.5, top, "\n".join(lines), fontsize=SMALL_PT)


def _write(figure: Figure, left: float, top: float, words: str, **look: Any) -> None:
    """Write words, their upper left corner at `left` and `top` mm of the figure's."""
    figure.text(left / WIDTH_MM, 1 - top / (figure.get_figheight() / MM), words, va="top", **look)


def in_words(row: Any | None) -> str:
    """The difference of a pair with its interval, whether the two can be told apart, and p after Holm."""
    if row is None:
        return "not scored"
    if np.isnan(row.difference):
        return "not compared"
    bounds = (row.difference_low, row.difference_high)
    interval = "no interval" if np.isnan(bounds).any() else " to ".join(map(signed, bounds))
    return f"{signed(row.difference)} ({interval})\n{verdict(row.difference, row.p_holm)}"


def signed(difference: float) -> str:
    """A difference with its sign, three decimals."""
    return f"{difference:+.3f}".replace("-", "−") if round(difference, 3) else "0.000"


def verdict(difference: float, p: float) -> str:
    """Whether fine-tuned and frozen can be told apart, and p after Holm's correction."""
    if np.isnan(p):
        return "p unknown"
    said = "not told apart" if p >= TOLD else "better" if difference > 0 else "worse"
    return f"{said}, {'p < 0.001' if p < 0.001 else f'p = {p:.3f}'}"


def _lines(pairs: pd.DataFrame, asked: Asked, routes: Sequence[Route], named: int) -> list[str]:
    """What the note says: how much is behind the lines, which are named, and what is not there."""
    said: list[str] = []
    there = routes_of(pairs)
    if there:
        seeds = counted_seeds(pd.concat([pairs["frozen_runs"], pairs["tuned_runs"]]))
        said += [f"Means over {seeds}; bars: 95 % intervals by bootstrap over proteins."]
        said += ["Differences are paired; p is after Holm's correction."]
        if (pairs["frozen_runs"] != pairs["tuned_runs"]).any():
            said += ["Where seeds differ, differences are over those of both."]
    if len(there) > named:
        said += [
            f"Named: the {named} of {len(there)} that are best on validation when fine-tuned; "
            "grey lines: the others."
        ]
    bare = pairs[pairs[["frozen_low", "frozen_high", "tuned_low", "tuned_high"]].isna().any(axis=1)]
    said += asked.without(set(routes) - set(there), "a pair of scores")
    said += asked.without(routes_of(bare), "an interval")
    return textwrap.wrap(" ".join(said), NOTE_LETTERS)
