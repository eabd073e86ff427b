"""Macro F1 of single cells from their nearest neighbours: by k, and by how far apart neighbours must be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protloc.choices import best_k, is_chosen
from protloc.figures.cell_policies import POLICIES
from protloc.figures.cell_scores import VOTES
from protloc.figures.looks import Look, Route, looks_of_routes
from protloc.figures.names import name_lines, room
from protloc.figures.style import MM, WIDTH_MM, missing, note, sheet

APART = {"protein": "proteins", "fov": "fields", "cell": "cells"}
LEFT, TOP, BOTTOM, GAP, PANEL, EMPTY = 12.0, 7.0, 21.0, 16.0, 62.0, 30.0  # mm
WIDTHS, BETWEEN = (1.9, 1.0), 0.08  # of the two panels, and of the space between, in panels
DOTTED = {"linewidth": 0.8, "linestyle": (0, (0.8, 1.4))}
LABEL_APART = 0.05  # of the axis, between the numbers below it
NOTE = (
    "Means over {seeds} seeds; bands and bars: 95 % intervals by bootstrap over proteins. Thin dotted: votes "
    "weighted by similarity. Dashed grey: controls."
)


CHOSEN = "Right: at the k that is best on the proteins of validation, which are left out of all scores here."
MIDDLE = "Right: at the middle k, as there are no proteins of validation to choose it on."


def draw_cells_k(
    scores: pd.DataFrame,
    labels: pd.DataFrame,
    titles: Mapping[str, str],
    controls: Collection[str],
    cells_per_protein: int | None,
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the figure: a row per label policy; left by k, right at one k by what neighbours may share.

    `scores` are those of `scores_of_cells`, `labels` is the table cell_labels, `titles` and `controls` are by
    backbone. Without scores the figure says so.
    """
    policies = [policy for policy in POLICIES if policy in set(scores["label_policy"])]
    height = TOP + BOTTOM + len(policies) * (PANEL + GAP) - GAP if policies else EMPTY
    lines = _counted(labels, policies, cells_per_protein)
    with sheet(height, outputs) as figure:
        if policies:
            _draw_rows(figure, scores, policies, looks_of_routes(scores, titles, controls))
            chosen = CHOSEN if is_chosen(scores) else MIDDLE
            lines = [NOTE.format(seeds=scores["runs"].max()), chosen, *lines]
        else:
            missing(figure, "No cell has a label: there is nothing to score.")
        note(figure, "\n".join(lines), simulated, LEFT)


def _draw_rows(
    figure: Figure, scores: pd.DataFrame, policies: Sequence[str], looks: Mapping[Route, Look]
) -> None:
    """Draw two panels for each label policy, and the names of the lines beside them."""
    height = figure.get_figheight() / MM
    right = WIDTH_MM - room([str(look["label"]) for look in looks.values()])
    axes = figure.subplots(len(policies), 2, squeeze=False, sharey=True, width_ratios=WIDTHS)
    figure.subplots_adjust(
        left=LEFT / WIDTH_MM,
        right=right / WIDTH_MM,
        top=1 - TOP / height,
        bottom=BOTTOM / height,
        wspace=BETWEEN,
        hspace=GAP / PANEL,
    )
    for (by_k, by_apart), policy in zip(axes, policies, strict=True):
        of_policy = scores[scores["label_policy"] == policy]
        _draw_k(by_k, of_policy, looks)
        _draw_apart(by_apart, of_policy[of_policy["vote"] == "plain"], looks)
        by_k.set_ylabel("macro F1" + (f", {POLICIES[policy]}" if len(policies) > 1 else ""))


def _draw_k(axis: Axes, scores: pd.DataFrame, looks: Mapping[Route, Look]) -> None:
    """Draw both votes against k, neighbours as far apart as the study asks; the plain ones with a band."""
    unit = next(unit for unit in APART if unit in set(scores["apart"]))
    axis.set_title(f"Neighbours of other {APART[unit]}", loc="left")
    ks = sorted(scores["k"].unique().tolist())
    apart = scores[scores["apart"] == unit].sort_values("k")
    for route, look in looks.items():
        of_route = apart[(apart["backbone"] == route[0]) & (apart["strategy"] == route[1])]
        plain, weighted = (of_route[of_route["vote"] == vote] for vote in VOTES.values())
        bounds = (plain[name].to_numpy() for name in ("k", "low", "high"))
        if len(ks) > 1:
            axis.fill_between(*bounds, color=look["color"], alpha=0.13, linewidth=0)
        else:  # neither a band nor a line is to be seen
            axis.vlines(*bounds, color=look["color"], linewidth=0.8, alpha=0.6)
        dash = "_" if len(ks) == 1 else None
        axis.plot(weighted["k"], weighted["mean"], marker=dash, color=look["color"], clip_on=False, **DOTTED)
        axis.plot(plain["k"], plain["mean"], clip_on=False, **look)
    axis.set(xscale="log", xlabel="k, the number of neighbours that vote", xlim=_ends(ks))
    axis.set_xticks(ks, _spaced(ks), minor=False)
    axis.set_xticks([], minor=True)
    _scale(axis)


def _draw_apart(axis: Axes, scores: pd.DataFrame, looks: Mapping[Route, Look]) -> None:
    """Draw the score at the middle k against what neighbours may share with the cell, with bars."""
    units = [unit for unit in APART if unit in set(scores["apart"])]
    k = best_k(scores[scores["apart"] == units[0]])
    at_k = scores[scores["k"] == k].set_index(["backbone", "strategy", "apart"])
    for number, (route, look) in enumerate(looks.items()):
        line = at_k.reindex([(*route, unit) for unit in units])
        x = np.arange(len(units)) + 0.06 * (number - (len(looks) - 1) / 2)
        axis.vlines(x, line["low"], line["high"], color=look["color"], linewidth=0.8, alpha=0.6)
        axis.plot(x, line["mean"], clip_on=False, **look)
    axis.set_title(f"Closer neighbours, k = {k}", loc="left")
    axis.set_xticks(range(len(units)), [f"other\n{APART[unit]}" for unit in units])
    axis.set(xlim=(-0.4, len(units) - 0.6))
    _scale(axis)
    ends = {route: at_k["mean"].get((*route, units[-1])) for route in looks}
    name_lines(axis, [(end, looks[route]) for route, end in ends.items() if end is not None])


def _scale(axis: Axes) -> None:
    axis.set(ylim=(0, 1), yticks=np.linspace(0, 1, 6))
    axis.grid(axis="y", color="#eeeeee", linewidth=0.5)
    axis.set_axisbelow(True)


def _ends(ks: Sequence[int]) -> tuple[float, float]:
    """The ends of the axis: a little beyond the smallest and the largest k."""
    margin = 1.12 if len(ks) > 1 else 2.0
    return ks[0] / margin, ks[-1] * margin


def _spaced(ks: Sequence[int]) -> list[str]:
    """A number below each k that is far enough from the last one that has a number."""
    low, high = np.log(_ends(ks))
    words, last = [], -np.inf
    for k in ks:
        place = (np.log(k) - low) / (high - low)
        words.append(str(k) if place - last >= LABEL_APART else "")
        last = place if words[-1] else last
    return words


def _counted(labels: pd.DataFrame, policies: Sequence[str], cells_per_protein: int | None) -> list[str]:
    """How much is behind the scores under each label policy."""
    drawn = f"; at most {cells_per_protein} a protein and seed" if cells_per_protein else ""
    lines = []
    for policy in policies:
        mine = labels[labels["label_policy"] == policy]
        kinds = mine["label"].nunique()
        classes = f"{kinds} classes" if kinds > 1 else "one class (no vote can be wrong)"
        proteins = f"{len(mine):,} cells of {mine['gene'].nunique():,} proteins"
        lines.append(f"{POLICIES[policy][0].upper()}{POLICIES[policy][1:]}: {classes}, {proteins}{drawn}.")
    return lines
