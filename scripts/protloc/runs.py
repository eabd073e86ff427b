"""Runs of training: which there are on the splits of a study, and the rows of `predictions` each gives."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from protloc.decide import decide
from protloc.errors import InputError
from protloc.hashing import sha256_value
from protloc.leakage import check_no_leak
from protloc.thresholds import thresholds


@dataclass(frozen=True)
class Run:
    """One run to be made: its setting, the rows of its seed's split, and the digest of both."""

    unit: str
    policy: str
    fraction: float
    seed: int
    split: pd.DataFrame
    key: str

    @cached_property
    def classes(self) -> list[str]:
        """The localizations that the split's fields have, sorted."""
        return sorted(set(self.split["labels"].explode()))

    @property
    def name(self) -> str:
        """The setting in words."""
        return f"split by {self.unit}, {self.policy} labels, fraction {self.fraction:g}, seed {self.seed}"

    def part(self, part: str) -> pd.DataFrame:
        """The fields of a part by id: of `train`, those of the run's fraction."""
        chosen = self.split["part"] == part
        if part == "train":
            chosen &= self.split["fraction"] <= self.fraction
        return self.split[chosen].sort_values("fov_id")


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


def prediction_rows(run: Run, scores: Mapping[str, np.ndarray], chosen: str) -> pd.DataFrame:
    """The `predictions` rows of a trained run; the log gets a line of them, `chosen` says what was chosen.

    `scores` are the probabilities (fields, classes) of the parts `validation`, on which thresholds are
    chosen under `multi`, and `test`; fields by id.
    """
    test, classes, cuts = run.part("test"), run.classes, None
    if run.policy == "multi":
        cuts = thresholds(scores["validation"], truth(run, "validation"))
    predicted = decide(scores["test"], run.policy, cuts)
    f1 = f1_score(truth(run, "test"), predicted, average="macro", zero_division=0)
    logging.info("%s: %s, macro F1 %.3f", run.name, chosen, f1)
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
            "classes": [classes] * len(test),
            "probabilities": list(scores["test"]),
            "thresholds": [[] if cuts is None else cuts] * len(test),
        }
    )


def truth(run: Run, part: str) -> np.ndarray:
    """Which class each field of a part has, bool (fields, classes); fields by id."""
    return np.stack([np.isin(run.classes, list(labels)) for labels in run.part(part)["labels"]])


def report_absent(run: Run) -> None:
    """Log the classes that a run cannot learn."""
    present = set(run.part("train")["labels"].explode())
    absent = [name for name in run.classes if name not in present]
    if len(present) == 1:
        logging.warning("%s: all training fields are %s: nothing to learn", run.name, *present)
    elif absent:
        logging.warning("%s: no training field, so not learned: %s", run.name, ", ".join(absent))
