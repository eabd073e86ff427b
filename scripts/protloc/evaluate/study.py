"""All runs of a study, scored route by route."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from protloc.errors import InputError
from protloc.evaluate.neighbours import score_neighbours, subset_of
from protloc.evaluate.paired import Side
from protloc.evaluate.scores import score_route
from protloc.parallel import in_order
from protloc.progress import progress
from protloc.tables import read_table

Job = tuple[str, str, Sequence]  # table, file, values of the route's columns
SCORES = {"predictions": score_route, "neighbours": score_neighbours}
UNIT = {"predictions": "split_unit", "neighbours": "apart"}
Proteins = dict[tuple[str, str], dict[tuple[str, str, str], np.ndarray]]  # by table and level


def score_study(
    jobs: Sequence[Job], draws: int, workers: int, chosen_on: Collection[str] = ()
) -> tuple[pd.DataFrame, pd.DataFrame, list[Side]]:
    """Rows of `metrics` and of `summary`, and what is compared, of all routes: the same for any `workers`.

    `chosen_on` are the proteins of which nearest neighbours have their subset `validation`.
    """
    score = partial(_score, draws=draws, tested=_tested(jobs, chosen_on), chosen_on=chosen_on)
    found = list(progress(_scores(score, jobs, workers), total=len(jobs), unit="routes"))
    metrics, summary, sides = zip(*found, strict=True)
    whole = (pd.concat(tables, ignore_index=True) for tables in (metrics, summary))
    return *whole, [side for of_route in sides for side in of_route]


def _scores(score: partial, jobs: Sequence[Job], workers: int) -> Iterator[tuple]:
    if workers == 1:  # a process would take longer to start than a small study takes
        yield from map(score, jobs)
    else:
        ahead = 2 * workers
        for _, found in in_order(score, jobs, workers=workers, ahead=ahead, pool=ProcessPoolExecutor):
            yield found


def _score(
    job: Job, draws: int, tested: Proteins, chosen_on: Collection[str]
) -> tuple[pd.DataFrame, pd.DataFrame, list[Side]]:
    table, path, route = job
    variant = dict(zip(("strategy", "scale"), route[-2:], strict=True))
    more = {"chosen_on": chosen_on} if table == "neighbours" else {}
    # The products are small: one thread is faster than two that wait for each other.
    with threadpool_limits(1):
        rows = read_table(table, path, where=variant)
        if rows.empty:
            raise InputError(f"{path}: has no rows of {variant}; delete it and run again")
        return SCORES[table](rows, route, draws, path, tested[table, _level(table, route)], **more)


def _tested(jobs: Sequence[Job], chosen_on: Collection[str]) -> Proteins:
    """The proteins of all runs, by table and level, unit, policy and subset: what every route draws from.

    A route that lacks a run would else draw from fewer proteins, and be paired with nothing.
    """
    tested: dict[tuple[str, str], dict[tuple[str, str, str], set[str]]] = {}
    for table, path, route in jobs:
        of_level = tested.setdefault((table, _level(table, route)), {})
        columns = [UNIT[table], "label_policy", "gene", *(["subset"] if table == "predictions" else [])]
        rows = read_table(table, path, columns).drop_duplicates()
        if table == "neighbours":
            rows = rows.assign(subset=subset_of(rows["gene"], chosen_on))
        for setting, genes in rows.groupby([*columns[:2], "subset"])["gene"]:
            of_level.setdefault(setting, set()).update(genes)
    return {
        name: {setting: np.array(sorted(genes)) for setting, genes in of.items()}
        for name, of in tested.items()
    }


def _level(table: str, route: Sequence) -> str:
    """The level of a route, which the task precedes where there are predictions."""
    return str(route[1] if table == "predictions" else route[0])
