"""F1 of each class, of each backbone and channel strategy, with all of the labelled data."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from protloc.choices import reported
from protloc.figures.asked import Asked
from protloc.figures.matrix import axes_at, draw_cells, draw_scale, sides
from protloc.figures.panels import (
    POLICIES,
    UNITS,
    amount,
    at_full,
    counted_seeds,
    of_panel,
    units_and_policies,
)
from protloc.figures.rows import NAME_MM, NEAR, STRATEGY_MM, Rows
from protloc.figures.style import EDGE_MM, GREY, SMALL_PT, WIDTH_MM, missing, note, plain, sheet

PREFIX = "f1_"  # of the metrics of classes
TOP, TITLE, GAP, BETWEEN, BOTTOM, LINE, EMPTY = 3.0, 4.0, 5.0, 4.0, 2.0, 2.7, 30.0  # mm
SLOT, ALONE, LARGEST = 3.2, 4.4, 8.0  # mm: height of a row, of one whose backbone has no other; largest width
LETTER, LETTERS = 1.2, 112  # mm a letter of a class; of a line of the note
COLUMNS = ["split_unit", "label_policy", "fraction", "backbone", "strategy", "class"]
COLUMNS += ["control", "proteins", "fields", "runs", "mean", "sd"]
Splits = Mapping[tuple[str, str], pd.DataFrame]


def class_scores(metrics: pd.DataFrame, splits: Splits, task: str, controls: Collection[str]) -> pd.DataFrame:
    """What the figure shows of the table `metrics`: F1 of each class, over seeds, at the largest fraction.

    `splits` are the tables of that name by split unit and label policy; proteins and fields are the numbers
    that are tested in a class, means over seeds.
    """
    of_task = metrics[(metrics["task"] == task) & metrics["metric"].str.startswith(PREFIX)]
    shown = at_full(reported(of_task))
    shown = shown.assign(**{"class": shown["metric"].str.removeprefix(PREFIX)})
    scores = shown.groupby(COLUMNS[:6])["value"].agg(runs="count", mean="mean", sd="std").reset_index()
    tested = pd.concat([_tested(split).assign(**_named(setting)) for setting, split in splits.items()])
    scores = scores.merge(tested, how="left", on=[*COLUMNS[:2], "class"])
    scores = scores.fillna({"proteins": 0.0, "fields": 0.0})  # a class of the policy that no seed tests
    return scores.assign(control=scores["backbone"].isin(controls))[COLUMNS]


def _named(setting: tuple[str, str]) -> dict[str, str]:
    return dict(zip(COLUMNS[:2], setting, strict=True))


def _tested(split: pd.DataFrame) -> pd.DataFrame:
    """How many proteins and fields of each class are tested, means over seeds."""
    test = split[split["part"] == "test"].explode("labels").rename(columns={"labels": "class"})
    proteins = test.drop_duplicates(["seed", "gene", "class"])
    counts = {"proteins": proteins.groupby("class").size(), "fields": test.groupby("class").size()}
    return (pd.DataFrame(counts) / split["seed"].nunique()).reset_index()


def draw_classes(scores: pd.DataFrame, asked: Asked, simulated: bool, outputs: Sequence[Path]) -> None:
    """Write the figure: a column per split unit, a row per label policy, a cell per route and class.

    `scores` are those of `class_scores`. Classes with many tested proteins are left, controls below. What
    was asked for and has no score is named.
    """
    units, policies = units_and_policies(scores)
    rows = Rows(asked.routes, asked, SLOT if asked.several else ALONE)
    classes = {policy: _classes(scores, units[0], policy) for policy in policies}
    names = {
        (unit, policy): _names(of_panel(scores, unit, policy), classes[policy])
        for policy in policies
        for unit in units
    }
    head = TITLE * (1 + (len(policies) > 1))
    foot = LETTER * max((len(name) for several in names.values() for name in several), default=0) + NEAR
    pitch = head + rows.height + foot + GAP
    lines = _lines(scores, asked)
    height = TOP + len(policies) * pitch + BOTTOM + LINE * len(lines) if policies else EMPTY
    with sheet(height, outputs) as figure:
        left = EDGE_MM + NAME_MM + STRATEGY_MM * asked.several
        wide = (WIDTH_MM - left - EDGE_MM + BETWEEN) / max(len(units), 1)
        for (down, policy), (across, unit) in product(enumerate(policies), enumerate(units)):
            cell = min((wide - BETWEEN) / len(classes[policy]), LARGEST)
            size = (cell * len(classes[policy]), rows.height)
            axis = axes_at(figure, left + across * wide, TOP + down * pitch + head, *size)
            axis.set_title(UNITS[unit] + (f"\n{POLICIES[policy]}" if len(policies) > 1 else ""), loc="left")
            _panel(axis, of_panel(scores, unit, policy), classes[policy], rows, cell)
            _name_classes(axis, names[unit, policy], cell, rows.height)
            if across == 0:
                rows.name(axis, NEAR + STRATEGY_MM * asked.several)
                if asked.several:
                    rows.name_strategies(axis)
        if policies:
            draw_scale(figure, EDGE_MM, TOP + len(policies) * pitch - foot - GAP + NEAR, "F1")
        else:
            missing(figure, "No backbone has an F1 of a class: there is nothing to show.")
        note(figure, "\n".join(lines), simulated)


def _classes(scores: pd.DataFrame, unit: str, policy: str) -> list[str]:
    """The classes of a label policy, those with most tested proteins of a split unit first."""
    here = scores[scores["label_policy"] == policy]
    counts = of_panel(here, unit, policy).groupby("class")["proteins"].first()
    return sorted(here["class"].unique(), key=lambda name: (-counts.get(name, 0), name))


def _names(scores: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    """Each class with the number of proteins and fields that are tested."""
    counts = scores.groupby("class")[["proteins", "fields"]].first().reindex(classes).fillna(0).round(1)
    return [f"{plain(row.Index)}  {row.proteins:g}/{row.fields:g}" for row in counts.itertuples()]


def _panel(axis: Axes, scores: pd.DataFrame, classes: Sequence[str], rows: Rows, cell: float) -> None:
    """Draw a cell for each route and class, `cell` mm wide; a route without scores says so."""
    table = scores.pivot(index=["backbone", "strategy"], columns="class", values="mean")
    values = table.reindex(index=pd.MultiIndex.from_tuples(rows.routes), columns=classes).to_numpy(float)
    lacking = np.isnan(values).all(axis=1)
    words = [[in_short(value) for value in row] for row in values]
    for row in np.flatnonzero(lacking):
        words[row] = [""] * len(classes)
        place = (cell * len(classes) / 2, sum(rows.sides[rows.routes[row]]) / 2)
        axis.text(*place, "no score", ha="center", va="center_baseline", color=GREY, fontsize=SMALL_PT)
    draw_cells(axis, sides(len(classes), cell), [rows.sides[route] for route in rows.routes], values, words)


def _name_classes(axis: Axes, names: Sequence[str], cell: float, top: float) -> None:
    """Write the classes below their columns, from `top` down."""
    for (start, end), name in zip(sides(len(names), cell), names, strict=True):
        axis.text((start + end) / 2, top + NEAR / 2, name, rotation=90, ha="center", va="top")


def in_short(share: float) -> str:
    """A share from 0 to 1 in three letters at most; a dash where there is none."""
    if np.isnan(share):
        return "–"
    return "1.0" if round(share, 2) == 1 else f"{share:.2f}"[1:]


def _lines(scores: pd.DataFrame, asked: Asked) -> list[str]:
    """What the note says: how much is behind the cells, how they are ordered, and what is not there."""
    said: list[str] = []
    if len(scores):
        said += [f"Frozen probes, {amount(scores)}. Means over {counted_seeds(scores['runs'])}."]
        said += ["Below: class, tested proteins/fields a seed."]
        said += ["Grey names: controls."] if scores["control"].any() else []
    said += asked.lacking(scores, "mean", "a score")
    return textwrap.wrap(" ".join(said), LETTERS)
