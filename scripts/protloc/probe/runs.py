"""All runs of a head on one embedding file: every split, fraction and seed, trained in packs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from protloc.kept import KeptRuns
from protloc.probe.data import run_data
from protloc.probe.pack import Trained, train_pack
from protloc.progress import progress
from protloc.runs import Run, check_vectors, prediction_rows, report_absent
from protloc.targets import masks, targets


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
    packs = list(_packs(new, max(1, settings["pack"] // len(settings["weight_decay"]))))
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
    policy, classes = pack[0].policy, pack[0].classes
    soft = settings["soft_targets"] if policy == "multi" else None
    data = []
    for run in pack:
        wanted, masked = targets(run.split, classes, proteins, soft), masks(run.split, classes, soft)
        amount = (run.fraction, [run.seed], settings["balance"])
        data.append(run_data(vectors, place, run.split, wanted, *amount, masked=masked, shots=run.shots))
        report_absent(run)
    kind = "multi" if policy == "multi" else "single"  # a label by hand is one
    trained = train_pack(vectors, data, kind, head, settings)
    return {run.key: _rows(run, of_run) for run, of_run in zip(pack, trained, strict=True)}


def _rows(run: Run, trained: Trained) -> pd.DataFrame:
    chosen = f"step {trained.step}, weight decay {trained.weight_decay:g}"
    return prediction_rows(run, trained.probabilities, chosen)
