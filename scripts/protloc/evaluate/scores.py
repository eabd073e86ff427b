"""The metrics of every run on one route in both subsets, and their summary over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from protloc.errors import InputError
from protloc.evaluate.annotated import any_annotated, clean_alone, label_ceiling
from protloc.evaluate.bootstrap import by_protein, interval, resample, weights
from protloc.evaluate.f1 import macro, macro_of_present, micro, per_class
from protloc.evaluate.levels import Level, levels
from protloc.evaluate.paired import METRICS as COMPARED
from protloc.evaluate.paired import Side
from protloc.evaluate.probabilities import calibration_error, macro_average_precision
from protloc.tables import ROUTE, SETTING, TRAINED_ON

METRICS = {"macro_f1": macro, "micro_f1": micro}
NO_K = pd.Series(dtype="Int64")  # empty in every row: there are no neighbours
LEARNED = [column.name for column in TRAINED_ON]
Tested = Mapping[tuple[str, str, str], np.ndarray]  # proteins, by split unit, label policy and subset


def score_route(
    predictions: pd.DataFrame, route: Sequence[str], draws: int, name: str, tested: Tested | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, list[Side]]:
    """Rows of `metrics` and of `summary`, and what is compared, of one route, read from the file `name`.

    `tested` are the proteins to draw from, sorted: for routes that are to be paired those of all; without it,
    those of each setting and subset. Raises InputError if the runs of a setting do not list the same classes.
    """
    metrics, summary, sides = [], [], []
    for setting, rows in predictions.groupby(list(SETTING)):
        if len(set(map(tuple, rows["classes"]))) > 1:
            raise InputError(
                f"{name}: classes differ between seeds at {setting}; run again with --forcerun split"
            )
        learned = rows.groupby("seed")[LEARNED].first()
        found = {seed: levels(run, setting[1]) for seed, run in rows.groupby("seed")}
        for subset, of_subset in rows.groupby("subset"):
            keys = dict(zip(SETTING, setting, strict=True)) | {"subset": subset}
            runs = {seed: of_run[subset] for seed, of_run in found.items() if subset in of_run}
            genes = tested[*setting[:2], subset] if tested else np.unique(of_subset["gene"].astype(str))
            resampled = _resample(list(runs.values()), genes, weights(len(genes), draws, setting[:2]))
            of_runs = _metrics(runs, keys["label_policy"])
            metrics.append(of_runs.join(learned, on="seed").assign(**keys))
            bounds = {metric: interval(of_metric) for metric, of_metric in resampled.items()}
            summary.append(_summary(of_runs, bounds).assign(**keys, **learned.mean()))
            if subset == "test":
                sides += _sides(of_runs, resampled, runs, genes, route, setting)
    columns = dict(zip((column.name for column in ROUTE), route, strict=True)) | {"k": NO_K}
    whole = (pd.concat(tables, ignore_index=True).assign(**columns) for tables in (metrics, summary))
    return *whole, sides


def _metrics(runs: Mapping[int, Mapping[str, Level]], policy: str) -> pd.DataFrame:
    """Each metric of each seed's run; none where it cannot be said."""
    rows = [
        {"seed": seed, "metric": prefix + name, "value": value}
        for seed, of_run in runs.items()
        for prefix, level in of_run.items()
        for name, value in _values(level, policy).items()
        if not np.isnan(value)
    ]
    return pd.DataFrame(rows)


def _values(level: Level, policy: str) -> dict[str, float]:
    """All metrics of a run at one level, by name."""
    counts = level.counts.sum(axis=0)
    ranked = np.where(level.masked, -1.0, level.probabilities)  # what is masked comes last, and is not true
    return {
        **{name: float(metric(counts)) for name, metric in METRICS.items()},
        **{f"f1_{name}": float(value) for name, value in zip(level.classes, per_class(counts), strict=True)},
        "macro_average_precision": macro_average_precision(level.truth, ranked),
        "calibration_error": calibration_error(level.truth, level.probabilities, policy, level.masked),
        "any_annotated": float(micro(any_annotated(level).sum(axis=0))),
        "clean_macro_f1": float(macro_of_present(clean_alone(level).sum(axis=0))),
        "label_ceiling": label_ceiling(level, policy),
    }


def _resample(
    runs: Sequence[Mapping[str, Level]], genes: np.ndarray, drawn: np.ndarray
) -> dict[str, np.ndarray]:
    """Each metric in the same draws for all seeds, fractions and routes: float64 (runs, draws)."""
    found: dict[str, list[np.ndarray]] = {}
    for run in runs:
        for prefix, level in run.items():
            for name, values in _draws(level, genes, drawn):
                found.setdefault(prefix + name, []).append(values)
    return {name: np.stack(values) for name, values in found.items() if len(values) == len(runs)}


def _draws(level: Level, genes: np.ndarray, drawn: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each metric that has an interval, and its values in all draws."""
    yield from resample(by_protein(level, genes), drawn).items()
    yield "any_annotated", resample(by_protein(level, genes, any_annotated(level)), drawn)["micro_f1"]
    if level.clean.any():
        yield "clean_macro_f1", resample(by_protein(level, genes, clean_alone(level)), drawn)["macro_f1"]


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
    proteins = [np.searchsorted(genes, np.unique(run[""].genes.astype(str))) for run in runs.values()]
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
        if metric in resampled
    ]


def _summary(metrics: pd.DataFrame, bounds: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Mean, standard deviation and interval over the seeds of a setting, of each metric that has bounds."""
    grouped = metrics[metrics["metric"].isin(bounds)].groupby("metric")["value"]
    summary = grouped.agg(runs="count", mean="mean", sd="std").reset_index()
    summary["low"], summary["high"] = zip(*summary["metric"].map(bounds), strict=True)
    return summary
