"""Runs of training: which there are on the splits of a study, and the rows of `predictions` each gives."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from protloc.decide import decide
from protloc.errors import InputError
from protloc.hashing import sha256_bytes, sha256_value
from protloc.leakage import check_no_leak
from protloc.macro_f1 import macro_f1
from protloc.thresholds import thresholds
from protloc.variants import Variant


@dataclass(frozen=True)
class Run:
    """One run to be made: its setting, its seed's split by id with its classes, and the digest of all."""

    variant: Variant
    unit: str
    policy: str
    fraction: float
    seed: int
    split: pd.DataFrame
    classes: list[str]
    key: str

    @property
    def name(self) -> str:
        """The setting in words."""
        setting = f"split by {self.unit}, {self.policy} labels, fraction {self.fraction:g}, seed {self.seed}"
        return f"{self.variant}, {setting}"

    def part(self, part: str) -> pd.DataFrame:
        """The fields of a part by id: of `train`, those of the run's fraction."""
        chosen = self.split["part"] == part
        if part == "train":
            chosen &= self.split["fraction"] <= self.fraction
        return self.split[chosen]


def plan(
    splits: Mapping[tuple[str, str], pd.DataFrame],
    fractions: Sequence[float],
    variant: Variant,
    vectors_sha256: str = "",
) -> list[Run]:
    """The runs of a variant on all splits, by (unit, policy), in the order of the table `predictions`.

    `vectors_sha256` is the digest of its vectors: a run on others has another key. Raises InputError
    if a group leaks between parts, or a fraction holds no field.
    """
    runs = []
    for (unit, policy), split in sorted(splits.items()):
        check_no_leak(split, unit, f"split by {unit}")
        of_split = [
            _run(variant, vectors_sha256, unit, policy, fraction, *seed)
            for seed in _seeds(split)
            for fraction in sorted(fractions)
        ]
        runs += sorted(of_split, key=lambda run: (run.fraction, run.seed))
    return runs


def _seeds(split: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame, list[str], np.ndarray]]:
    """Yield for each seed its split by id, the classes of it, and each row in words."""
    for seed, rows in split.groupby("seed"):
        of_seed = rows.sort_values("fov_id")
        labels = of_seed["labels"].map(";".join)
        words = of_seed["fov_id"] + " " + of_seed["part"] + " " + labels
        yield int(seed), of_seed, sorted(set(of_seed["labels"].explode())), words.to_numpy(object)


def _run(
    variant: Variant,
    vectors_sha256: str,
    unit: str,
    policy: str,
    fraction: float,
    seed: int,
    split: pd.DataFrame,
    classes: list[str],
    words: np.ndarray,
) -> Run:
    """A run, known by the rows that it uses."""
    used = (split["part"] != "train") | (split["fraction"] <= fraction)
    if not (used & (split["part"] == "train")).any():
        raise InputError(f"split: fraction {fraction:g} holds no field; raise splits.fractions")
    content = sha256_bytes("\n".join(words[used]).encode())
    key = sha256_value([*variant, vectors_sha256, unit, policy, fraction, seed, classes, content])
    return Run(variant, unit, policy, fraction, seed, split, classes, key)


def check_vectors(names: Sequence[str], vectors: np.ndarray, runs: Sequence[Run]) -> None:
    """Raise InputError if the vectors are not those of the splits' fields, or not finite."""
    splits = {id(run.split): run.split for run in runs}  # fractions share them
    wanted = set().union(*(split["fov_id"] for split in splits.values()))
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


def prediction_rows(run: Run, scores: Mapping[str, np.ndarray], chosen: str) -> pd.DataFrame:
    """The `predictions` rows of a trained run; the log gets a line of them, `chosen` says what was chosen.

    `scores` are the probabilities (fields, classes) of the parts `validation`, on which thresholds are
    chosen under `multi`, and `test`; fields by id.
    """
    test, classes, cuts = run.part("test"), run.classes, None
    if run.policy == "multi":
        cuts = thresholds(scores["validation"], truth(run, "validation"))
    predicted = decide(scores["test"], run.policy, cuts)
    f1 = macro_f1(truth(run, "test"), predicted)
    logging.info("%s: %s, macro F1 %.3f", run.name, chosen, f1)
    seen = {row.tobytes(): row for row in predicted}
    named = {content: list(np.compress(row, classes)) for content, row in seen.items()}
    return pd.DataFrame(
        {
            **run.variant.columns,
            "split_unit": run.unit,
            "label_policy": run.policy,
            "fraction": run.fraction,
            "seed": run.seed,
            "fov_id": test["fov_id"].to_numpy(),
            "gene": test["gene"].to_numpy(),
            "truth": test["labels"].to_list(),
            "predicted": [named[row.tobytes()] for row in predicted],
            "classes": [classes] * len(test),
            "probabilities": list(scores["test"]),
            "thresholds": [[] if cuts is None else cuts] * len(test),
        }
    )


def truth(run: Run, part: str) -> np.ndarray:
    """Which class each field of a part has, bool (fields, classes); fields by id."""
    labels = [tuple(of_field) for of_field in run.part(part)["labels"]]
    found = {of_some: np.isin(run.classes, of_some) for of_some in set(labels)}
    return np.stack([found[of_field] for of_field in labels])


def report_absent(run: Run) -> None:
    """Log the classes that a run cannot learn."""
    present = set(run.part("train")["labels"].explode())
    absent = [name for name in run.classes if name not in present]
    if len(present) == 1:
        logging.warning("%s: all training fields are %s: nothing to learn", run.name, *present)
    elif absent:
        logging.warning("%s: no training field, so not learned: %s", run.name, ", ".join(absent))
