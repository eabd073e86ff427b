"""What was published beside what the study finds, and what to make of the difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from protloc.config.published import Claim
from protloc.evaluate.paired import BEFORE, TRAINED
from protloc.models.strategies import RANDOM
from protloc.opencell import FIELDS
from protloc.tables import TABLES

METRIC, FULL = "macro_f1", 1.0
WITHIN, ABOVE, BELOW, NOT_COMPARABLE = "within", "above", "below", "not comparable"
SIDE = ("task", "backbone", "strategy")
VALUES = ("mean", "low", "high")
OPPOSITE = {"mean": "mean", "low": "high", "high": "low"}
NEIGHBOURS = ("knn", "knn_weighted")


@dataclass(frozen=True)
class Data:
    """What a study is about: whether it is simulated, whether its labels are OpenCell's, its fields.

    Those that are bad count: a study warns of them, and a few do not make it one of something else.
    """

    simulated: bool
    opencell: bool
    fields: int

    def fault(self) -> str | None:
        """Why its scores cannot be put beside those published on OpenCell, if they cannot."""
        if self.simulated:
            return "simulated data"
        if not self.opencell:
            return "another data set: the label table is not OpenCell's"
        if self.fields < FIELDS:
            return f"another data set: {self.fields:,} of OpenCell's {FIELDS:,} fields"
        return None


def published(
    claims: Mapping[str, Claim], summary: pd.DataFrame, comparisons: pd.DataFrame, data: Data
) -> pd.DataFrame:
    """Rows of `published`: for each claim all that the study has of it, or one row that says what it lacks.

    `summary` and `comparisons` are the tables of those names; what counts is macro F1 at all of the data.
    """
    scores, differences = _at_full(summary), _both_ways(_at_full(comparisons))
    rows: list[dict] = []
    for claim in claims.values():
        ours = _of(claim, differences if claim.compared else scores)
        said = claim.model_dump(include={"claim", "level", "compared", "value", "spread", "source"})
        said["published"] = said.pop("value")
        if ours.empty:
            rows.append(said | {"verdict": NOT_COMPARABLE, "reason": data.fault() or _lacking(claim)})
        for row in ours.to_dict("records"):
            verdict, reason = _judge(claim, row, data)
            rows.append(said | row | {"verdict": verdict, "reason": reason})
    columns = [column.name for column in TABLES["published"].columns]
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({"k": "Int64", "runs": "Int64"}).replace({np.nan: None})


def place(published: tuple[float, float], interval: tuple[float, float]) -> str:
    """`within` if value ± spread and the interval have a value in common, else on which side ours lies."""
    value, spread = published
    low, high = interval
    if low > value + spread:
        return ABOVE
    return BELOW if high < value - spread else WITHIN


def _judge(claim: Claim, ours: Mapping[str, object], data: Data) -> tuple[str, str]:
    """The verdict on one of our values, with what has to be known about it."""
    if fault := data.fault():
        return NOT_COMPARABLE, fault
    for name in ("split_unit", "label_policy"):
        if getattr(claim, name) not in (None, ours[name]):
            return NOT_COMPARABLE, f"another split: published for {name} {getattr(claim, name)}"
    if np.isnan(ours["low"]):
        return NOT_COMPARABLE, "no interval: too few proteins were tested"
    open_ = [name.replace("_", " ") for name in ("split_unit", "label_policy") if not getattr(claim, name)]
    reason = f"unknown protocol: {' and '.join(open_)} not published, this is one reading" if open_ else ""
    return place((claim.value, claim.spread), (ours["low"], ours["high"])), reason


def _lacking(claim: Claim) -> str:
    """What the study does not have, in words."""
    wanted = [claim.backbone, claim.strategy, claim.other_backbone, claim.other_strategy]
    names = [name for name in wanted if name]
    return f"not in the study: {claim.task}, {claim.level}" + (f", {', '.join(names)}" if names else "")


def _at_full(table: pd.DataFrame) -> pd.DataFrame:
    """Macro F1 in the test part with all of the labelled data, at the backbones' own scales."""
    own = (table[[name for name in ("scale", "other_scale") if name in table]] == 1).all(axis=1)
    table = table[(table["metric"] == METRIC) & (table["fraction"] == FULL) & (table["shots"] == 0) & own]
    return table[table["subset"] == "test"] if "subset" in table else table


def _both_ways(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Each pair from either side, with the columns of a score; pairs that share no run are none."""
    pairs = comparisons[comparisons["runs"] > 0].rename(columns={"difference": "mean"})
    turned = pairs.rename(
        columns={name: f"other_{name}" for name in SIDE} | {f"other_{name}": name for name in SIDE}
    )
    turned = turned.assign(**{name: -pairs[source] for name, source in OPPOSITE.items()})
    return pd.concat([pairs, turned], ignore_index=True)


def _of(claim: Claim, table: pd.DataFrame) -> pd.DataFrame:
    """What the study has of a claim, with the columns that `published` takes from it."""
    names = ["backbone", "strategy"]
    columns = [*SIDE, "split_unit", "label_policy", "k", "runs", *VALUES]
    if claim.compared:
        names += ["other_backbone", "other_strategy"]
        columns += [f"other_{name}" for name in SIDE]
        table = table[table["compared"] == claim.compared]
    chosen = table["level"].eq(claim.level) & _is_of(claim.task, table["task"])
    for name in names:
        wanted = getattr(claim, name)
        if wanted:
            chosen &= _is_drawn(table[name]) if wanted == RANDOM else table[name] == wanted
    return table.loc[chosen, columns]


def _is_drawn(strategies: pd.Series) -> pd.Series:
    """Which strategies are draws of a random mapping: a claim about it is about each of them."""
    return strategies.str.startswith(f"{RANDOM}_", na=False)


def _is_of(task: str, tasks: pd.Series) -> pd.Series:
    """Which tasks a claim is about: of neighbours the plain vote, of probes every head."""
    if task == "frozen":
        return ~tasks.isin([TRAINED, BEFORE, *NEIGHBOURS])
    return tasks == task
