"""Scores on tested images that a network was pretrained on without labels, beside those that it never saw."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from protloc.evaluate.f1 import count, per_class
from protloc.indicators import indicators
from protloc.tables import ROUTE, TABLES, empty_table, read_table

SEEN, NOT_SEEN = "macro_f1_pretrained", "macro_f1_not_pretrained"
NAMES = [column.name for column in ROUTE]
RUN = [
    column.name for column in TABLES["metrics"].columns if column.name not in (*NAMES, "k", "metric", "value")
]


def overlap(truth: np.ndarray, predicted: np.ndarray, seen: np.ndarray) -> dict[str, float]:
    """Macro F1 of the images that were seen in pretraining and of the others, by name.

    `truth` and `predicted` are bool (images, classes), `seen` is bool (images,). The mean is over the classes
    that are true on both sides, so that it is of the same classes; empty if there are none.
    """
    common = truth[seen].any(axis=0) & truth[~seen].any(axis=0)
    if not common.any():
        return {}
    counts = count(truth, predicted)
    sides = {SEEN: seen, NOT_SEEN: ~seen}
    return {name: float(per_class(counts[side].sum(axis=0))[common].mean()) for name, side in sides.items()}


def score_overlap(
    jobs: Sequence[tuple[str, str, Sequence]], images: pd.DataFrame, backbones: Collection[str]
) -> pd.DataFrame:
    """Rows of `metrics`: `overlap` of each run of `backbones`, the pretrained one and its control.

    `jobs` are table, file and route of all predictions; `images` is the table `pretraining_images`.
    """
    pretrained = frozenset(images.loc[images["role"] == "pretrained", "fov_id"])
    rows = [
        dict(zip(NAMES, route, strict=True)) | row
        for table, path, route in jobs
        if table == "predictions" and route[NAMES.index("backbone")] in backbones
        for row in _of_route(read_table(table, path, where=_variant(route)), pretrained, path)
    ]
    columns = [column.name for column in TABLES["metrics"].columns]
    frame = pd.DataFrame(rows, columns=columns) if rows else empty_table("metrics")
    return frame.astype({"k": "Int64"})


def _variant(route: Sequence) -> dict[str, str | float]:
    """The values of the columns strategy and scale, which tell a route's rows from others in its file."""
    return {name: value for name, value in zip(NAMES, route, strict=True) if name in ("strategy", "scale")}


def _of_route(predictions: pd.DataFrame, pretrained: frozenset[str], name: str) -> Iterator[dict]:
    for run, rows in predictions.groupby(RUN):
        classes = list(rows["classes"].iloc[0])
        truth, predicted = (indicators(rows[column], classes) for column in ("truth", "predicted"))
        found = overlap(truth, predicted, rows["fov_id"].isin(pretrained).to_numpy())
        if not found:
            logging.info("%s: %s: no class is tested inside and outside of the pretraining", name, run)
        for metric, value in found.items():
            yield dict(zip(RUN, run, strict=True)) | {"metric": metric, "value": value, "k": None}
