"""What the page knows of a study: its tables, what things are called, and what the answer is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from protloc.choices import best_k, ranked, reported, with_validation
from protloc.variants import parse

METRIC, PROTEIN_FIRST, SINGLE_FIRST = "macro_f1", ("protein", "fov"), ("single", "multi")
BEFORE, TUNED, NEIGHBOURS = "finetune_epoch_0", "finetune", "knn"
ROUTE = ["task", "backbone", "strategy"]
SETTING = ("split_unit", "label_policy", "fraction", "shots")


@dataclass(frozen=True)
class Names:
    """The title of each backbone, which of them are controls, and which control is which network untrained.

    `strategies` are those of the study, with their scales: one alone is not named. `same` has by backbone the
    strategies that are the same for it as one that was run, `impossible` those that its inputs do not allow.
    `far` are sentences on images that are shown far from the size of a network's pretraining.
    `transductive` are backbone, split unit and label policy where a backbone was pretrained on tested images.
    """

    titles: Mapping[str, str]
    controls: Sequence[str]
    untrained: Mapping[str, str]
    strategies: Sequence[str]
    same: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    impossible: Mapping[str, Sequence[str]] = field(default_factory=dict)
    far: Sequence[str] = ()
    transductive: Sequence[tuple[str, ...]] = ()

    def route(self, row: Mapping[str, object]) -> str:
        """A route in words, from a row with its backbone and strategy."""
        strategy = str(row["strategy"])
        named = len(self.strategies) > 1 and strategy in self.strategies
        shown = f" by {parse(strategy).words}" if named else ""
        return f"{self.titles[str(row['backbone'])]}{shown}"


def without_cell_probes(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of scores that the page speaks of: of cells those of their neighbours."""
    return scores[(scores["level"] == "fov") | scores["task"].str.startswith(NEIGHBOURS)]


@dataclass(frozen=True)
class Tables:
    """The tables of scores of a study; a study without splits and cells has empty ones.

    `heads` are those of the frozen probe; the page is about the best of them on validation.
    """

    metrics: pd.DataFrame
    summary: pd.DataFrame
    comparisons: pd.DataFrame
    enough: pd.DataFrame
    heads: Sequence[str]

    @cached_property
    def task(self) -> str:
        """The head that scores best on validation at the setting that the answer is about."""
        rows = self.at_setting(*self.heads)
        return self.heads[0] if rows.empty else str(rows.iloc[0]["task"])

    @cached_property
    def frozen(self) -> pd.DataFrame:
        """Macro F1 of the probe at the setting that the answer is about, the best on validation first.

        That is of new proteins and single labels, where the study has them, and all labelled data.
        """
        return self.at_setting(self.task)

    @cached_property
    def tuned(self) -> pd.DataFrame:
        """The same of fine-tuned networks."""
        return self.at_setting(TUNED)

    @cached_property
    def before(self) -> pd.DataFrame:
        """The same of these networks before they were fine-tuned."""
        return self.at_setting(BEFORE)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Macro F1 of cells by the k that is best on validation, neighbours being of other proteins."""
        found = self.at_setting(NEIGHBOURS)
        return found[found["k"] == best_k(found)]

    @property
    def setting(self) -> dict[str, object] | None:
        """Split unit, label policy and fraction of `frozen`; None where nothing was probed."""
        if self.frozen.empty:
            return None
        return self.frozen.iloc[0][["split_unit", "label_policy", "fraction"]].to_dict()

    def at_setting(self, *tasks: str) -> pd.DataFrame:
        """Rows of `summary` of tasks at their first split unit and label policy and their largest fraction.

        They have the column `validation`, by which they are ordered.
        """
        rows = self.summary[self.summary["task"].isin(tasks) & (self.summary["metric"] == METRIC)]
        rows = reported(with_validation(rows))
        for column, order in (("split_unit", PROTEIN_FIRST), ("label_policy", SINGLE_FIRST)):
            there = set(rows[column])
            first = next((value for value in order if value in there), None)
            rows = rows[rows[column] == first] if first else rows
        return ranked(rows[rows["fraction"] == rows["fraction"].max()])

    def difference(self, first: Mapping[str, object], other: Mapping[str, object]) -> Difference | None:
        """What one row of `summary` has more than another of its setting; None if they were not compared."""
        names = {name: (first[name], other[name]) for name in ROUTE}
        rows = like(self.comparisons, first, *SETTING, "metric")
        if pd.notna(first["k"]):
            rows = rows[rows["k"] == first["k"]]
        for sign, (own, its) in ((1, (0, 1)), (-1, (1, 0))):
            found = rows
            for name, pair in names.items():
                found = found[(found[name] == pair[own]) & (found[f"other_{name}"] == pair[its])]
            if len(found):
                return Difference.of(found.iloc[0], sign)
        return None


@dataclass(frozen=True)
class Difference:
    """A paired difference with its 95 % interval and corrected p; NaN where there is none."""

    value: float
    low: float
    high: float
    p: float

    @classmethod
    def of(cls, row: Mapping[str, float], sign: int) -> Difference:
        """That of a row of `comparisons`, or with `sign` -1 the same from its other side."""
        ends = sorted((sign * row["low"], sign * row["high"]))
        return cls(sign * row["difference"], *ends, row["p_holm"])

    @property
    def told_apart(self) -> bool:
        """Whether the interval is on one side of 0 and p below 0.05."""
        return bool((self.low > 0 or self.high < 0) and self.p < 0.05)

    def __str__(self) -> str:
        if np.isnan(self.low):
            return f"{signed(self.value)}, no interval"
        return f"{signed(self.value)}, {signed(self.low)} to {signed(self.high)}, {words_of_p(self.p)}"


def words_of_p(p: float) -> str:
    """A p value as it is printed."""
    if np.isnan(p):
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def score(row: Mapping[str, float]) -> str:
    """A score with its interval."""
    if np.isnan(row["low"]):
        return f"{row['mean']:.3f} (no interval)"
    return f"{row['mean']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def signed(number: float) -> str:
    """A difference, with a sign as it is set in print."""
    return f"{number:+.3f}".replace("-", "−")


def like(rows: pd.DataFrame, row: Mapping[str, object], *names: str) -> pd.DataFrame:
    """The rows that have the same in some columns as `row`."""
    for name in names:
        rows = rows[rows[name] == row[name]]
    return rows
