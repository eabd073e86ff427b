"""All runs of a head on one embedding file: every split, fraction and seed, trained in packs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from protloc.heads.data import run_data
from protloc.heads.fit import LOGISTIC, fit_heads
from protloc.heads.fitted import Fitted
from protloc.kept import KeptRuns
from protloc.progress import progress
from protloc.runs import Run, check_vectors, prediction_rows, report_absent


def probe(
    names: Sequence[str],
    vectors: np.ndarray,
    runs: Sequence[Run],
    kept: KeptRuns,
    proteins: pd.DataFrame,
    head: str,
    settings: Mapping[str, Any],
) -> Iterator[pa.Table]:
    """The `predictions` rows of each run in turn; those that are `kept` are not trained again.

    `names` are the images of the float32 `vectors` (images, dimension). What is trained is kept a pack at a
    time. Raises InputError for a field without a vector, or a vector that is not finite.
    """
    check_vectors(names, vectors, runs)
    place = pd.Index(names)
    new = [run for run in runs if run.key not in kept]
    logging.info("%d runs: %d kept from before, %d to train", len(runs), len(runs) - len(new), len(new))
    size = 1 if head == LOGISTIC else max(1, settings["pack"] // len(settings["weight_decay"]))
    packs = list(_packs(new, size))
    for pack in progress(packs, total=len(packs), unit="packs"):
        for key, rows in _train(pack, place, vectors, proteins, head, settings).items():
            kept.add(key, rows)
    return (kept[run.key] for run in runs)


def _packs(runs: Sequence[Run], size: int) -> Iterator[Sequence[Run]]:
    """Up to `size` runs at a time: of the same classes, and of like fractions, which stop at like steps."""
    by_classes: dict[tuple, list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.shots, run.fraction)):
        by_classes.setdefault((run.policy, *run.classes), []).append(run)
    for of_classes in by_classes.values():
        yield from (of_classes[start : start + size] for start in range(0, len(of_classes), size))


def _train(
    pack: Sequence[Run],
    place: pd.Index,
    vectors: np.ndarray,
    proteins: pd.DataFrame,
    head: str,
    settings: Mapping[str, Any],
) -> dict[str, pd.DataFrame]:
    """The rows of each run of a pack, by key."""
    data = [run_data(run, place, vectors, proteins, settings) for run in pack]
    fitted = fit_heads(vectors, data, head, settings)
    return {run.key: _rows(run, of_run) for run, of_run in zip(pack, fitted, strict=True)}


def _rows(run: Run, fitted: Fitted) -> pd.DataFrame:
    report_absent(run)
    if fitted.edge:
        logging.warning("%s: %s", run.name, fitted.edge)
    chosen = f"{fitted.chosen}, macro F1 on validation {fitted.f1:.3f}"
    return prediction_rows(run, fitted.probabilities, chosen)
