"""All runs of a head on one embedding file: every split, fraction and seed, those of a fraction together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from protloc.decide import decide
from protloc.errors import InputError
from protloc.hashing import sha256_value
from protloc.kept import KeptRuns
from protloc.leakage import check_no_leak
from protloc.probe.choose import thresholds
from protloc.probe.data import run_data
from protloc.probe.pack import Trained, train_pack
from protloc.probe.targets import targets
from protloc.progress import progress


@dataclass(frozen=True)
class Run:
    """One run to be made: its setting, the rows of its seed's split, and the digest of both."""

    unit: str
    policy: str
    fraction: float
    seed: int
    split: pd.DataFrame
    key: str


def plan(splits: Mapping[tuple[str, str], pd.DataFrame], fractions: Sequence[float]) -> list[Run]:
    """The runs on all splits, by (unit, policy), in a stable order.

    Raises InputError if a group leaks between parts, or a fraction holds no field.
    """
    runs = []
    for (unit, policy), split in sorted(splits.items()):
        check_no_leak(split, unit, f"split by {unit}")
        for fraction in sorted(fractions):
            for seed, of_seed in split.groupby("seed"):
                trained = (of_seed["part"] == "train") & (of_seed["fraction"] <= fraction)
                if not trained.any():
                    raise InputError(f"split: fraction {fraction:g} holds no field; raise splits.fractions")
                used = of_seed[trained | (of_seed["part"] != "train")].sort_values("fov_id")
                content = [used[name].to_list() for name in ("fov_id", "part")]
                content += [
                    [list(labels) for labels in used["labels"]],
                    sorted(set(of_seed["labels"].explode())),
                ]
                key = sha256_value([unit, policy, fraction, int(seed), content])
                runs.append(Run(unit, policy, fraction, int(seed), of_seed, key))
    return runs


def probe(
    names: Sequence[str],
    vectors: np.ndarray,
    runs: Sequence[Run],
    kept: KeptRuns,
    proteins: pd.DataFrame,
    head: str,
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    """The `predictions` rows of all runs; those that are `kept` are not trained again.

    `names` are the fields of the float32 `vectors` (images, dimension). What is trained is kept a pack at a
    time. Raises InputError for a field without a vector, or a vector that is not finite.
    """
    check_vectors(names, vectors, runs)
    place = {name: row for row, name in enumerate(names)}
    new = [run for run in runs if run.key not in kept]
    logging.info("%d runs: %d kept from before, %d to train", len(runs), len(runs) - len(new), len(new))
    packs = list(_packs(new, max(1, settings["pack"] // len(settings["weight_decay"]))))
    for pack in progress(packs, total=len(packs), unit="packs"):
        kept.add(_train(pack, place, vectors, proteins, head, settings))
    return pd.concat([kept[run.key] for run in runs], ignore_index=True)


def check_vectors(names: Sequence[str], vectors: np.ndarray, runs: Sequence[Run]) -> None:
    """Raise InputError if the vectors are not those of the splits' fields, or not finite."""
    wanted = {name for run in runs for name in run.split["fov_id"]}
    missing = sorted(wanted - set(names))
    if missing:
        raise InputError(
            f"embedding: {len(missing)} of {len(wanted)} fields of the split have no vector, the first "
            f"{missing[0]}; is it of another data set? Run again with --forcerun embed_network embed_features"
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise InputError(
            f"embedding: the vector of {names[bad[0]]} is not finite ({len(bad)} such); make it again"
        )


def _packs(runs: Sequence[Run], size: int) -> Iterator[Sequence[Run]]:
    """Up to `size` runs of one split and fraction at a time."""
    by_setting: dict[tuple, list[Run]] = {}
    for run in runs:
        by_setting.setdefault((run.unit, run.policy, run.fraction), []).append(run)
    for of_setting in by_setting.values():
        yield from (of_setting[start : start + size] for start in range(0, len(of_setting), size))


def _train(
    pack: Sequence[Run],
    place: Mapping[str, int],
    vectors: np.ndarray,
    proteins: pd.DataFrame,
    head: str,
    settings: Mapping[str, Any],
) -> dict[str, pd.DataFrame]:
    """The rows of each run of a pack, by key."""
    policy = pack[0].policy
    classes = sorted(set(pack[0].split["labels"].explode()))
    soft = settings["soft_targets"] if policy == "multi" else None
    data = []
    for run in pack:
        wanted = targets(run.split, classes, proteins, soft)
        data.append(
            run_data(vectors, place, run.split, wanted, run.fraction, [run.seed], settings["balance"])
        )
        _report_absent(run, classes)
    trained = train_pack(vectors, data, policy, head, settings)
    return {run.key: _rows(run, classes, of_run) for run, of_run in zip(pack, trained, strict=True)}


def _rows(run: Run, classes: Sequence[str], trained: Trained) -> pd.DataFrame:
    """The `predictions` rows of a trained run."""
    test, validation = (
        run.split[run.split["part"] == part].sort_values("fov_id") for part in ("test", "validation")
    )
    cuts = None
    if run.policy == "multi":
        cuts = thresholds(trained.probabilities["validation"], _truth(validation, classes))
    scores = trained.probabilities["test"]
    predicted = decide(scores, run.policy, cuts)
    logging.info(
        "split by %s, %s labels, fraction %g, seed %d: step %d, weight decay %g, macro F1 %.3f",
        *(run.unit, run.policy, run.fraction, run.seed, trained.step, trained.weight_decay),
        f1_score(_truth(test, classes), predicted, average="macro", zero_division=0),
    )
    return pd.DataFrame(
        {
            "split_unit": run.unit,
            "label_policy": run.policy,
            "fraction": run.fraction,
            "seed": run.seed,
            "fov_id": test["fov_id"].to_numpy(),
            "gene": test["gene"].to_numpy(),
            "truth": test["labels"].to_list(),
            "predicted": [list(np.compress(row, classes)) for row in predicted],
            "classes": [list(classes)] * len(test),
            "probabilities": list(scores),
            "thresholds": [[] if cuts is None else cuts] * len(test),
        }
    )


def _truth(part: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    return np.stack([np.isin(classes, list(labels)) for labels in part["labels"]])


def _report_absent(run: Run, classes: Sequence[str]) -> None:
    """Log the classes that a run cannot learn."""
    training = run.split[(run.split["part"] == "train") & (run.split["fraction"] <= run.fraction)]
    present = set(training["labels"].explode())
    absent = [name for name in classes if name not in present]
    where = f"split by {run.unit}, seed {run.seed}, fraction {run.fraction:g}"
    if len(present) == 1:
        logging.warning("%s: all training fields are %s: nothing to learn", where, *present)
    elif absent:
        logging.warning("%s: no training field, so not learned: %s", where, ", ".join(absent))
