"""The metrics of every run on one route, and their summary over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from protloc.errors import InputError
from protloc.evaluate.bootstrap import by_protein, intervals, weights
from protloc.evaluate.f1 import macro, micro, per_class
from protloc.evaluate.levels import Level, levels
from protloc.evaluate.probabilities import calibration_error, macro_average_precision
from protloc.tables import ROUTE, RUN

METRICS = {"macro_f1": macro, "micro_f1": micro}
NO_K = pd.Series(dtype="Int64")  # empty in every row: there are no neighbours
SETTING = [column.name for column in RUN if column.name != "seed"]


def score_route(
    predictions: pd.DataFrame, route: Sequence[str], draws: int, name: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `metrics` and of `summary` for the predictions of one route, read from the file `name`.

    Raises InputError if the runs of a setting do not list the same classes.
    """
    metrics, summary = [], []
    for setting, rows in predictions.groupby(SETTING):
        if rows["classes"].map(tuple).nunique() > 1:
            raise InputError(
                f"{name}: classes differ between seeds at {setting}; run again with --forcerun split"
            )
        keys = dict(zip(SETTING, setting, strict=True))
        runs = {seed: levels(run, keys["label_policy"]) for seed, run in rows.groupby("seed")}
        of_runs = _metrics(runs, keys["label_policy"])
        metrics.append(of_runs.assign(**keys))
        summary.append(_summary(of_runs, _intervals(list(runs.values()), draws, setting[:2])).assign(**keys))
    columns = dict(zip((column.name for column in ROUTE), route, strict=True)) | {"k": NO_K}
    whole = (pd.concat(tables, ignore_index=True).assign(**columns) for tables in (metrics, summary))
    return tuple(whole)


def _metrics(runs: Mapping[int, Mapping[str, Level]], policy: str) -> pd.DataFrame:
    """Each metric of each seed's run."""
    rows = [
        {"seed": seed, "metric": prefix + name, "value": value}
        for seed, of_run in runs.items()
        for prefix, level in of_run.items()
        for name, value in _values(level, policy).items()
    ]
    return pd.DataFrame(rows)


def _values(level: Level, policy: str) -> dict[str, float]:
    """All metrics of a run at one level, by name."""
    counts = level.counts.sum(axis=0)
    return {
        **{name: float(metric(counts)) for name, metric in METRICS.items()},
        **{f"f1_{name}": float(value) for name, value in zip(level.classes, per_class(counts), strict=True)},
        "macro_average_precision": macro_average_precision(level.truth, level.probabilities),
        "calibration_error": calibration_error(level.truth, level.probabilities, policy),
    }


def _intervals(
    runs: Sequence[Mapping[str, Level]], draws: int, setting: Sequence[str]
) -> dict[str, np.ndarray]:
    """95 % interval of each metric, from the same draws for all seeds, fractions and routes: paired."""
    genes = np.unique(np.concatenate([run["protein_"].genes for run in runs]))
    drawn = weights(len(genes), draws, setting)
    return {
        prefix + name: bounds
        for prefix in runs[0]
        for name, bounds in intervals(by_protein([run[prefix] for run in runs], genes), drawn).items()
    }


def _summary(metrics: pd.DataFrame, bounds: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Mean, standard deviation and interval over the seeds of a setting, of each metric that has bounds."""
    grouped = metrics[metrics["metric"].isin(bounds)].groupby("metric")["value"]
    summary = grouped.agg(runs="count", mean="mean", sd="std").reset_index()
    summary["low"], summary["high"] = zip(*summary["metric"].map(bounds), strict=True)
    return summary
