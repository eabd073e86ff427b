"""The metrics of every run on one route, and their summary over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from protloc.errors import InputError
from protloc.evaluate.bootstrap import by_protein, interval, resample, weights
from protloc.evaluate.f1 import macro, micro, per_class
from protloc.evaluate.levels import Level, levels
from protloc.evaluate.paired import METRICS as COMPARED
from protloc.evaluate.paired import Side
from protloc.evaluate.probabilities import calibration_error, macro_average_precision
from protloc.tables import ROUTE, RUN

METRICS = {"macro_f1": macro, "micro_f1": micro}
NO_K = pd.Series(dtype="Int64")  # empty in every row: there are no neighbours
SETTING = [column.name for column in RUN if column.name != "seed"]


def score_route(
    predictions: pd.DataFrame,
    route: Sequence[str],
    draws: int,
    name: str,
    tested: Mapping[tuple[str, str], np.ndarray] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, list[Side]]:
    """Rows of `metrics` and of `summary`, and what is compared, of one route, read from the file `name`.

    `tested` are the proteins to draw from, sorted, by split unit and label policy: for routes that are to be
    paired those of all; without it, those of each setting. Raises InputError if the runs of a setting do not
    list the same classes.
    """
    metrics, summary, sides = [], [], []
    for setting, rows in predictions.groupby(SETTING):
        if len(set(map(tuple, rows["classes"]))) > 1:
            raise InputError(
                f"{name}: classes differ between seeds at {setting}; run again with --forcerun split"
            )
        keys = dict(zip(SETTING, setting, strict=True))
        runs = {seed: levels(run, keys["label_policy"]) for seed, run in rows.groupby("seed")}
        genes = tested[setting[:2]] if tested else np.unique(rows["gene"].astype(str))
        drawn = weights(len(genes), draws, setting[:2])
        resampled = _resample(list(runs.values()), genes, drawn)
        of_runs = _metrics(runs, keys["label_policy"])
        metrics.append(of_runs.assign(**keys))
        bounds = {metric: interval(of_metric) for metric, of_metric in resampled.items()}
        summary.append(_summary(of_runs, bounds).assign(**keys))
        sides += _sides(of_runs, resampled, runs, genes, route, setting)
    columns = dict(zip((column.name for column in ROUTE), route, strict=True)) | {"k": NO_K}
    whole = (pd.concat(tables, ignore_index=True).assign(**columns) for tables in (metrics, summary))
    return *whole, sides


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


def _resample(
    runs: Sequence[Mapping[str, Level]], genes: np.ndarray, drawn: np.ndarray
) -> dict[str, np.ndarray]:
    """Each metric in the same draws for all seeds, fractions and routes: float64 (runs, draws)."""
    return {
        prefix + name: np.stack(values)
        for prefix in runs[0]
        for name, values in _by_metric(
            [resample(by_protein(run[prefix], genes), drawn) for run in runs]
        ).items()
    }


def _by_metric(runs: Sequence[Mapping[str, np.ndarray]]) -> dict[str, list[np.ndarray]]:
    return {name: [run[name] for run in runs] for name in runs[0]}


def _sides(
    metrics: pd.DataFrame,
    resampled: Mapping[str, np.ndarray],
    runs: Mapping[int, Mapping[str, Level]],
    genes: np.ndarray,
    route: Sequence[str],
    setting: Sequence,
) -> list[Side]:
    """What is compared of a setting: its metrics with their draws, at half the precision of memory."""
    task, level, *names = route  # of these a backbone, a strategy and a scale
    values = metrics.pivot(index="metric", columns="seed", values="value")
    proteins = [np.searchsorted(genes, run["protein_"].genes) for run in runs.values()]
    return [
        Side(
            (task, *names),
            (level, *setting, None, metric),
            np.array(list(runs)),
            values.loc[metric, list(runs)].to_numpy(),
            resampled[metric].astype(np.float32),
            proteins,
        )
        for metric in COMPARED
    ]


def _summary(metrics: pd.DataFrame, bounds: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Mean, standard deviation and interval over the seeds of a setting, of each metric that has bounds."""
    grouped = metrics[metrics["metric"].isin(bounds)].groupby("metric")["value"]
    summary = grouped.agg(runs="count", mean="mean", sd="std").reset_index()
    summary["low"], summary["high"] = zip(*summary["metric"].map(bounds), strict=True)
    return summary
