"""Paired differences: two routes on the same splits, in the same draws of proteins."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import stdtr

from protloc.errors import InputError
from protloc.evaluate.bootstrap import PERCENTILES, mean_of_runs
from protloc.evaluate.holm import holm
from protloc.tables import TABLES

Route = tuple[str, str, str, float]  # task, backbone, strategy, scale
SIDE = ("task", "backbone", "strategy", "scale")
SETTING = ("level", "split_unit", "label_policy", "fraction", "shots", "k", "metric")
Setting = tuple[str, str, str, float, int, int | None, str]  # of these columns
FAMILY = ["task", *SETTING]
METRICS = ("macro_f1", "protein_macro_f1")
TRAINED, BEFORE, NO_STRATEGY = "finetune", "finetune_epoch_0", "none"


@dataclass(frozen=True)
class Side:
    """A metric of one route at one setting, of each of its seeds.

    values: (seeds,). draws: the metric in each draw of proteins, float32 (seeds, draws). proteins: for each
    seed, the places of the tested proteins among those of the study.
    """

    route: Route
    setting: Setting
    seeds: np.ndarray
    values: np.ndarray
    draws: np.ndarray
    proteins: Sequence[np.ndarray]

    @cached_property
    def place(self) -> dict[int, int]:
        """The row of each seed."""
        return {int(seed): row for row, seed in enumerate(self.seeds)}


def compare(sides: Sequence[Side]) -> pd.DataFrame:
    """Rows of `comparisons`: backbone against backbone, strategy against strategy, trained against frozen.

    A pair is compared on the seeds that both have; those that one side lacks are counted and logged. Raises
    InputError if the two were tested on other proteins.
    """
    settings: dict[Setting, dict[Route, Side]] = {}
    routes: dict[str, set[Route]] = {}
    for side in sides:
        settings.setdefault(side.setting, {})[side.route] = side
        routes.setdefault(side.setting[0], set()).add(side.route)
    pairs = {level: list(_pairs(sorted(of_level))) for level, of_level in routes.items()}
    rows = []
    for setting, there in settings.items():
        for compared, first, other in pairs[setting[0]]:
            # Who fine-tunes at the full fraction alone has not lost the others.
            if first in there or (other in there and compared != "training"):
                names = dict(zip(SIDE, first, strict=True))
                names |= dict(zip([f"other_{name}" for name in SIDE], other, strict=True))
                found = _difference(there.get(first), there.get(other))
                rows.append(dict(zip(SETTING, setting, strict=True)) | names | {"compared": compared} | found)
    table = pd.DataFrame(rows, columns=[column.name for column in TABLES["comparisons"].columns])
    table["k"] = table["k"].astype("Int64")
    table["p_holm"] = table.groupby(FAMILY, dropna=False)["p"].transform(holm).astype(float)
    _report(table[table["missing"] > 0])
    return table


def _pairs(routes: Sequence[Route]) -> Iterator[tuple[str, Route, Route]]:
    """What is compared, and the two routes; not all pairs of everything."""
    for first, other in combinations(routes, 2):
        same = {name: own == its for name, own, its in zip(SIDE, first, other, strict=True)}
        strategies = {first[2], other[2]}
        if BEFORE in (first[0], other[0]):  # the same head on the same network, which is not yet trained
            if first[0] == TRAINED and first[1:] == other[1:]:
                yield "training", first, other
        elif same["task"] and same["backbone"]:
            if same["scale"] != same["strategy"]:  # one of them differs
                yield "strategy" if same["scale"] else "scale", first, other
        elif same["task"] and same["scale"] and len(strategies - {NO_STRATEGY}) < 2:  # features have none
            yield "backbone", first, other


def _difference(first: Side | None, other: Side | None) -> dict[str, float]:
    """What the first has more than the other, with its interval and p, over the seeds that both have."""
    there = [set(side.place) if side else set() for side in (first, other)]
    seeds = sorted(there[0] & there[1])
    nothing = dict.fromkeys(("difference", "sd", "low", "high", "p"), np.nan)
    found = nothing | {"runs": len(seeds), "missing": len(there[0] ^ there[1]), "proteins": 0}
    if not seeds:
        return found
    rows = [[side.place[seed] for seed in seeds] for side in (first, other)]
    tested = [first.proteins[row] for row in rows[0]]
    for seed, own, row in zip(seeds, tested, rows[1], strict=True):
        if not np.array_equal(own, other.proteins[row]):
            raise InputError(
                f"{first.route} and {other.route}: other proteins were tested at {first.setting}, "
                f"seed {seed}; run again with --forcerun split"
            )
    values = first.values[rows[0]] - other.values[rows[1]]
    found |= {"difference": values.mean(), "proteins": len(np.unique(np.concatenate(tested)))}
    if len(seeds) > 1:
        found["sd"] = values.std(ddof=1)
    if found["proteins"] > 1:  # the draws of one protein are all alike
        drawn = mean_of_runs(first.draws[rows[0]] - other.draws[rows[1]])
        drawn = drawn[~np.isnan(drawn)]
        found["low"], found["high"] = np.percentile(drawn, PERCENTILES)
        found["p"] = two_sided(found["difference"], drawn.std(ddof=1), found["proteins"])
    return found


def two_sided(difference: float, error: float, proteins: int) -> float:
    """The p value of a difference with the standard error `error`, by Student's t with proteins - 1 degrees.

    1 where there is none, and NaN where a difference is the same in every draw.
    """
    if error == 0:
        return 1.0 if difference == 0 else np.nan
    return float(2 * stdtr(proteins - 1, -abs(difference) / error))


def _report(short: pd.DataFrame) -> None:
    """Log how many comparisons lack runs, and the sides of the first."""
    if len(short):
        names = [[f"{side}{name}" for name in SIDE] for side in ("", "other_")]
        sides = ["/".join(map(str, short.iloc[0][of_side])) for of_side in names]
        logging.warning("%d comparisons lack runs of one side, e.g. %s and %s", len(short), *sides)
