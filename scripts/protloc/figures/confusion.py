"""What the best backbone takes each class for."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from protloc.choices import ranked
from protloc.figures.asked import Asked
from protloc.figures.looks import Route
from protloc.figures.matrix import axes_at, draw_cells, draw_scale, sides
from protloc.figures.panels import POLICIES, UNITS, amount, counted_seeds
from protloc.figures.style import EDGE_MM, GREY, INK, WIDTH_MM, missing, note, plain, sheet

TOP, TITLE, GAP, NEAR, BOTTOM, LINE, EMPTY = 3.0, 12.0, 6.0, 1.0, 3.0, 2.7, 30.0  # mm
LARGEST, LETTER, LETTERS = 7.0, 1.36, 112  # mm a class and a letter of it; letters of a line of the note
LEAST = (28.0, 10.0)  # mm left of a matrix and below it: the scale is there
SEEN = ["seed", "fov_id", "gene", "truth", "predicted", "classes"]  # columns of `predictions`
COLUMNS = ["split_unit", "label_policy", "fraction", "backbone", "strategy", "seeds", "truth", "predicted"]
COLUMNS += ["proteins", "fields", "taken", "share"]


@dataclass(frozen=True)
class Best:
    """The best route on validation under a label policy that is no control, its macro F1, and of how many."""

    route: Route
    split_unit: str
    label_policy: str
    fraction: float
    score: float
    among: int

    @property
    def where(self) -> dict[str, str | float]:
        """What its rows of `predictions` have in common."""
        return {name: getattr(self, name) for name in COLUMNS[:3]}

    @property
    def rows(self) -> dict[str, str | float | int]:
        """What its rows of the table `predictions` have that are shown."""
        return self.where | {"shots": 0, "subset": "test"}


def best_routes(scores: pd.DataFrame) -> list[Best]:
    """The best route under each label policy, of those split by protein if there are any.

    `scores` are those of `full_scores`. The best is chosen on validation; of equals the first by name.
    """
    found = []
    learned = scores[~scores["control"] & scores["mean"].notna()]
    for policy in POLICIES:
        of_policy = learned[learned["label_policy"] == policy]
        for unit in [unit for unit in UNITS if unit in set(of_policy["split_unit"])][:1]:
            rows = ranked(of_policy[of_policy["split_unit"] == unit])
            row = rows.iloc[0]
            route = (row["backbone"], row["strategy"])
            found.append(Best(route, unit, policy, float(row["fraction"]), float(row["mean"]), len(rows)))
    return found


def confusion(best: Best, predictions: pd.DataFrame) -> pd.DataFrame:
    """How often fields of each class are taken for each class: a row per pair, all seeds together.

    `predictions` are the columns SEEN of the rows that `best` names. `proteins` and `fields` are tested in
    the class `truth`, `taken` fields of these are said to be `predicted`; `share` is NaN if there are none.
    """
    classes = sorted(set(chain.from_iterable(predictions["classes"])))
    truth, predicted = (_indicators(predictions[name], classes) for name in ("truth", "predicted"))
    fields, taken = truth.sum(axis=0), truth.T.astype(int) @ predicted
    proteins = [predictions.loc[of_class, "gene"].nunique() for of_class in truth.T]
    pairs = pd.MultiIndex.from_product([classes, classes], names=COLUMNS[6:8]).to_frame(index=False)
    for name, counts in (("proteins", proteins), ("fields", fields)):
        pairs[name] = np.repeat(counts, len(classes))
    pairs["taken"] = taken.ravel()
    named = best.where | dict(zip(COLUMNS[3:5], best.route, strict=True))
    share = pairs["taken"] / pairs["fields"].where(pairs["fields"] > 0)
    return pairs.assign(**named, seeds=predictions["seed"].nunique(), share=share)[COLUMNS]


def _indicators(labels: pd.Series, classes: Sequence[str]) -> np.ndarray:
    """Which classes each row names, bool (rows, classes)."""
    place = {name: number for number, name in enumerate(classes)}
    found = np.zeros((len(labels), len(classes)), dtype=bool)
    rows = np.repeat(np.arange(len(labels)), labels.map(len))
    found[rows, [place[name] for names in labels for name in names]] = True
    return found


def draw_confusion(
    bests: Sequence[Best],
    pairs: pd.DataFrame,
    scores: pd.DataFrame,
    asked: Asked,
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the figure: a matrix under each label policy, of the route in `bests` for it.

    `pairs` are the rows of `confusion` of all of them, `scores` those of `full_scores`. What was asked for
    and has no score is named.
    """
    tables = [pairs[pairs["label_policy"] == best.label_policy] for best in bests]
    names = [_names(table) for table in tables]
    side = max(NEAR + _longest(name for several in names for name in several.values()), LEAST[0])
    foot = max(NEAR + _longest(plain(name) for several in names for name in several), LEAST[1])
    cells = [min((WIDTH_MM - 2 * EDGE_MM - side) / len(several), LARGEST) for several in names]
    heights = [TITLE + cell * len(several) + foot + GAP for cell, several in zip(cells, names, strict=True)]
    lines = _lines(scores, pairs, asked)
    height = TOP + sum(heights) + BOTTOM + LINE * len(lines) if bests else EMPTY
    with sheet(height, outputs) as figure:
        for number, (best, table) in enumerate(zip(bests, tables, strict=True)):
            top, size = TOP + sum(heights[:number]) + TITLE, cells[number] * len(names[number])
            axis = axes_at(figure, EDGE_MM + side, top, size, size)
            _panel(axis, table, names[number], cells[number])
            title = f"{asked.called(best.route)}: macro F1 {best.score:.3f}{_rank(best)}"
            where = f"{UNITS[best.split_unit]}, {POLICIES[best.label_policy]}"
            figure.text(EDGE_MM / WIDTH_MM, 1 - (top - TITLE) / height, f"{title}\n{where}", va="top")
        if bests:
            draw_scale(figure, EDGE_MM, TOP + sum(heights) - foot - GAP + NEAR, "share of the row's fields")
        else:
            missing(figure, "No backbone but controls has a macro F1: there is none to look into.")
        note(figure, "\n".join(lines), simulated)


def _longest(names: Iterable[str]) -> float:
    """The room that the longest of the names needs, mm."""
    return LETTER * max(map(len, names), default=0)


def _rank(best: Best) -> str:
    return f", the best of {best.among} on validation that are no controls" if best.among > 1 else ""


def _names(table: pd.DataFrame) -> dict[str, str]:
    """Each class with the numbers of its proteins and fields, those with most fields first."""
    rows = table.drop_duplicates("truth").sort_values(["fields", "truth"], ascending=[False, True])
    return {row.truth: f"{plain(row.truth)}  {row.proteins:,}/{row.fields:,}" for row in rows.itertuples()}


def _panel(axis: Axes, table: pd.DataFrame, names: Mapping[str, str], cell: float) -> None:
    """Draw the matrix: true classes down, predicted ones across, what is right in frames."""
    square = table.pivot(index="truth", columns="predicted", values="share").loc[[*names], [*names]]
    shares = square.to_numpy(float)
    words = [[_percent(share) for share in row] for row in shares]
    draw_cells(axis, sides(len(names), cell), sides(len(names), cell), shares, words)
    end = cell * len(names)
    for (start, stop), (name, words_of) in zip(sides(len(names), cell), names.items(), strict=True):
        axis.add_patch(Rectangle((start, start), cell, cell, fill=False, edgecolor=INK, linewidth=0.5))
        axis.text(-NEAR, (start + stop) / 2, words_of, ha="right", va="center")
        axis.text((start + stop) / 2, end + NEAR, plain(name), rotation=90, ha="center", va="top")
    axis.text(-NEAR, -NEAR, "true class ↓", ha="right", color=GREY)
    axis.text(0, -NEAR, "predicted class →", color=GREY)


def _percent(share: float) -> str:
    """A share in percent; nothing for what rounds to 0 or is not known."""
    return "" if np.isnan(share) or round(100 * share) == 0 else f"{100 * share:.0f}"


def _lines(scores: pd.DataFrame, pairs: pd.DataFrame, asked: Asked) -> list[str]:
    """What the note says: what the numbers are, how much is behind them, and what is not there."""
    said: list[str] = []
    if len(pairs):
        seeds = counted_seeds(pairs["seeds"])
        said += [f"Rows: true class, tested proteins/fields of {seeds}."]
        said += ["Cells: for how many of a row's fields (%) the class is predicted; empty below 0.5 %."]
        said += [f"Frozen probes, {amount(pairs)}."]
        if pairs["truth"].nunique() == 1:
            said += ["One class: no prediction can be wrong."]
    said += asked.lacking(scores, "mean", "a score")
    return textwrap.wrap(" ".join(said), LETTERS)
