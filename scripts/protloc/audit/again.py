"""Scores counted again from predictions, by other code than that which counted them first."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from sklearn.metrics import f1_score

KNN = {"knn": "plain", "knn_weighted": "weighted"}  # the votes of a task


def score_of_predictions(rows: pd.DataFrame, row: pd.Series) -> str:
    """Macro F1 of a run, if that is the metric of `row`, as words beside the number there."""
    if row["metric"] != "macro_f1" or rows["label_policy"].iloc[0] != "single":
        return ""
    truth, predicted = (
        rows[name].map(lambda labels: labels[0] if len(labels) else "") for name in ("truth", "predicted")
    )
    return _score(truth, predicted, row, list(rows["classes"].iloc[0]))


def score_of_neighbours(rows: pd.DataFrame, row: pd.Series) -> str:
    """The same of a draw of cells at the k of `row`."""
    if row["metric"] != "macro_f1" or not len(rows):
        return ""
    place = list(rows["k"].iloc[0]).index(row["k"])
    votes = rows[KNN[row["task"]]].map(lambda labels: labels[place])
    return _score(rows["truth"], votes, row, sorted(rows["truth"].unique()))


def _first(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) else ""


def _score(truth: pd.Series, predicted: pd.Series, row: pd.Series, classes: list[str]) -> str:

    again = f1_score(truth, predicted, labels=classes, average="macro", zero_division=0)
    return f": macro F1 counted again {again:.6f}, {row['value']:.6f} here"
