"""The metrics of what nearest neighbours vote, for all k and both votes at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

import numpy as np
import pandas as pd

from protloc.errors import InputError
from protloc.evaluate.bootstrap import interval, resample, weights
from protloc.evaluate.f1 import macro_of_present, micro
from protloc.evaluate.padding import padding
from protloc.evaluate.paired import METRICS as COMPARED
from protloc.evaluate.paired import Side
from protloc.evaluate.scores import LEARNED
from protloc.evaluate.shortcuts import shortcuts

VOTES = {"knn": "plain", "knn_weighted": "weighted"}
METRICS = {"macro_f1": macro_of_present, "micro_f1": micro}  # over the classes that are true in the run


def score_neighbours(
    neighbours: pd.DataFrame,
    route: Sequence[str],
    draws: int,
    name: str,
    tested: Mapping[tuple[str, str, str], np.ndarray] | None = None,
    chosen_on: Collection[str] = (),
) -> tuple[pd.DataFrame, pd.DataFrame, list[Side]]:
    """Rows of `metrics` and of `summary`, and what is compared, of one route, read from the file `name`.

    `route` is level, backbone, strategy and scale; `tested` is as for a route of predictions. The cells of
    the proteins `chosen_on` are the subset `validation`, all others `test`. Raises InputError if k differs
    between the runs of a setting.
    """
    metrics, summary, sides = [], [], []
    subsets = neighbours.assign(subset=subset_of(neighbours["gene"], chosen_on))
    for setting, rows in subsets.groupby(["apart", "label_policy", "subset"]):
        if rows["k"].map(tuple).nunique() > 1:
            unit, policy, _ = setting
            raise InputError(
                f"{name}: k differs between seeds at {unit}, {policy}; run again with --forcerun knn"
            )
        keys = dict(zip(("level", "backbone", "strategy", "scale"), route, strict=True))
        keys |= {"split_unit": setting[0], "label_policy": setting[1], "fraction": 1.0, "shots": 0}
        keys |= {"subset": setting[2]} | dict.fromkeys(LEARNED, 0)
        genes = tested[setting] if tested else np.unique(rows["gene"].astype(str))
        of_runs, of_setting, compared = _score(rows, pd.Index(genes), draws, setting[:2], route)
        metrics.append(of_runs.assign(**keys))
        if setting[0] == "cell" and setting[2] == "test":
            everyone = neighbours[neighbours["apart"].eq("cell") & neighbours["label_policy"].eq(setting[1])]
            metrics.append(_shortcuts(everyone, rows).assign(**keys))
        summary.append(of_setting.assign(**keys))
        sides += compared if setting[2] == "test" else []
    return pd.concat(metrics, ignore_index=True), pd.concat(summary, ignore_index=True), sides


def subset_of(genes: pd.Series, chosen_on: Collection[str]) -> np.ndarray:
    """The subset of cells by their proteins, text (cells,)."""
    return np.where(genes.isin(list(chosen_on)), "validation", "test")


def _score(
    rows: pd.DataFrame, genes: pd.Index, draws: int, setting: Sequence[str], route: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, list[Side]]:
    """Each seed's metrics, their summary, and what is compared, at one setting."""
    voted = (chain.from_iterable(rows[vote]) for vote in VOTES.values())
    classes = pd.Index(sorted(set(rows["truth"]).union(*voted)))  # cells of a subset have not all of them
    counts = {seed: count_votes(run, genes, classes) for seed, run in rows.groupby("seed")}
    k = pd.array(rows["k"].iloc[0], dtype="Int64")
    columns = pd.MultiIndex.from_product([VOTES, k], names=["task", "k"])
    drawn = weights(len(genes), draws, setting)
    of_seeds = [resample(of_run, drawn) for of_run in counts.values()]
    proteins = [np.flatnonzero(of_run.any(axis=(1, 2, 3))) for of_run in counts.values()]
    metrics, summary, sides = [], [], []
    for metric, function in METRICS.items():
        values = {seed: function(of_run.sum(axis=0)) for seed, of_run in counts.items()}
        of_runs = _long(values, columns).assign(metric=metric)
        metrics.append(of_runs)
        over_seeds = of_runs.groupby(["task", "k", "metric"], sort=False)["value"]
        of_metric = over_seeds.agg(runs="count", mean="mean", sd="std").reset_index()
        resampled = np.stack([of_run[metric] for of_run in of_seeds])
        bounds = interval(resampled)
        summary.append(of_metric.assign(low=bounds[0], high=bounds[1]))
        if metric in COMPARED:
            sides += [
                Side(
                    (task, *route[1:]),
                    (route[0], *setting, 1.0, 0, int(k_of), metric),
                    np.array(list(counts)),
                    np.array([of_run[place] for of_run in values.values()]),
                    resampled[:, :, place].astype(np.float32),
                    proteins,
                )
                for place, (task, k_of) in enumerate(columns)
            ]
    return pd.concat(metrics), pd.concat(summary), sides


def _shortcuts(everyone: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """How well the nearest neighbour of each seed's cells tells their field, protein and padding.

    The neighbours of `rows` are among `everyone`, cells of validation included.
    """
    of_seeds = {seed: (everyone[everyone["seed"] == seed], run) for seed, run in rows.groupby("seed")}
    of_runs = pd.DataFrame({seed: shortcuts(*both) | padding(*both) for seed, both in of_seeds.items()})
    of_runs = of_runs.rename_axis(index="metric", columns="seed").stack().rename("value").reset_index()
    return of_runs.assign(task="knn", k=pd.array([1] * len(of_runs), dtype="Int64"))


def count_votes(run: pd.DataFrame, genes: pd.Index, classes: pd.Index) -> np.ndarray:
    """Counts of each protein: float64 (genes, votes × k, 3, classes), all `plain` before all `weighted`.

    The three are true positives, false positives and false negatives.
    """
    gene, truth = genes.get_indexer(run["gene"]), classes.get_indexer(run["truth"])
    ballots = np.concatenate([np.stack(run[vote]) for vote in VOTES.values()], axis=1)
    predicted = classes.get_indexer(ballots.ravel()).reshape(ballots.shape)
    counts = np.empty((len(genes), ballots.shape[1], 3, len(classes)))
    for place, guess in enumerate(predicted.T):
        hit = guess == truth
        for kind, (chosen, of) in enumerate(((hit, truth), (~hit, guess), (~hit, truth))):
            cells = gene[chosen] * len(classes) + of[chosen]
            table = np.bincount(cells, minlength=len(genes) * len(classes))
            counts[:, place, kind] = table.reshape(len(genes), len(classes))
    return counts


def _long(values: Mapping[int, np.ndarray], columns: pd.MultiIndex) -> pd.DataFrame:
    """A row for each seed, task and k, of a value (votes × k) for each seed."""
    table = pd.DataFrame(values, index=columns).rename_axis(columns="seed")
    return table.stack().rename("value").reset_index()
