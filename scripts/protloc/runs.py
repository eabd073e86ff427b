"""Runs of training: which there are on the splits of a study, and the rows of `predictions` each gives."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from protloc.decide import decide
from protloc.errors import InputError
from protloc.hashing import sha256_bytes, sha256_value
from protloc.leakage import check_no_leak
from protloc.macro_f1 import macro_f1
from protloc.policies import HAND
from protloc.tables import TRAINED_ON
from protloc.thresholds import thresholds
from protloc.variants import Variant


@dataclass(frozen=True)
class Run:
    """One run to be made: its setting, its seed's split by id with its classes, and the digest of all."""

    variant: Variant
    unit: str
    policy: str
    fraction: float
    shots: int
    seed: int
    split: pd.DataFrame
    classes: list[str]
    key: str

    @property
    def name(self) -> str:
        """The setting in words."""
        amount = f"{self.shots} shots" if self.shots else f"fraction {self.fraction:g}"
        setting = f"split by {self.unit}, {self.policy} labels, {amount}, seed {self.seed}"
        return f"{self.variant}, {setting}"

    @cached_property
    def used(self) -> pd.DataFrame:
        """The images that the run uses, by id: of `train` and `validation` those of its fraction or shots."""
        return self.split[in_use(self.split, self.fraction, self.shots)]

    def part(self, part: str) -> pd.DataFrame:
        """The images of a part that the run uses, by id."""
        return self.used[self.used["part"] == part]

    @property
    def trained_on(self) -> dict[str, int]:
        """What it learns from: the columns TRAINED_ON of its tables."""
        training, labelled = self.part("train"), self.used[self.used["part"] != "test"]
        given = labelled if self.policy == HAND else labelled.drop_duplicates("gene")  # to a cell, a protein
        pairs = given["labels"].map(len).sum()
        counts = (training["gene"].nunique(), len(training), pairs)
        return {column.name: int(count) for column, count in zip(TRAINED_ON, counts, strict=True)}


def in_use(split: pd.DataFrame, fraction: float, shots: int) -> np.ndarray:
    """Which rows of a split a run uses, bool: the whole test part, of others what the design holds."""
    column, most = ("shots", shots) if shots else ("fraction", fraction)
    held = split[column].to_numpy(float, na_value=np.nan) <= most
    return held | (split["part"] == "test").to_numpy()


def plan(
    splits: Mapping[tuple[str, str], pd.DataFrame],
    fractions: Sequence[float],
    shots: Sequence[int],
    variant: Variant,
    vectors_sha256: str = "",
) -> list[Run]:
    """The runs of a variant on all splits, by (unit, policy), in the order of the table `predictions`.

    Each is of a fraction, or of a number of `shots` of all training data. `vectors_sha256` is the digest of
    the variant's vectors: a run on others has another key. Raises InputError if a group leaks between parts,
    or a fraction holds no image.
    """
    runs = []
    designs = [*((fraction, 0) for fraction in fractions), *((1.0, count) for count in shots)]
    for (unit, policy), split in sorted(splits.items()):
        check_no_leak(split, unit, f"split by {unit}")
        of_split = [
            _run(variant, vectors_sha256, unit, policy, *design, *seed)
            for seed in _seeds(split)
            for design in designs
        ]
        runs += sorted(of_split, key=lambda run: (run.fraction, run.shots, run.seed))
    return runs


def _seeds(split: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame, list[str], np.ndarray]]:
    """Yield for each seed its split by id, the classes of it, and each row in words."""
    for seed, rows in split.groupby("seed"):
        of_seed = rows.sort_values("image_id")
        words = of_seed["image_id"] + " " + of_seed["part"] + of_seed["clean"].astype(str)
        for column in ("labels", "masked", "annotated"):
            words += " " + of_seed[column].map(";".join)
        yield int(seed), of_seed, sorted(set(of_seed["labels"].explode())), words.to_numpy(object)


def _run(
    variant: Variant,
    vectors_sha256: str,
    unit: str,
    policy: str,
    fraction: float,
    shots: int,
    seed: int,
    split: pd.DataFrame,
    classes: list[str],
    words: np.ndarray,
) -> Run:
    """A run, known by the rows that it uses."""
    used = in_use(split, fraction, shots)
    if not (used & (split["part"] == "train")).any():
        raise InputError(f"split: fraction {fraction:g} holds no image; raise splits.fractions")
    content = sha256_bytes("\n".join(words[used]).encode())
    key = sha256_value([*variant, vectors_sha256, unit, policy, fraction, shots, seed, classes, content])
    return Run(variant, unit, policy, fraction, shots, seed, split, classes, key)


def check_vectors(names: Sequence[str], vectors: np.ndarray, runs: Sequence[Run]) -> None:
    """Raise InputError if the vectors are not those of the splits' images, or not finite."""
    splits = {id(run.split): run.split for run in runs}  # fractions share them
    wanted = set().union(*(split["image_id"] for split in splits.values()))
    missing = sorted(wanted - set(names))
    if missing:
        raise InputError(
            f"embedding: {len(missing)} of {len(wanted)} images of the split have no vector, the first "
            f"{missing[0]}; is it of another data set? Run again with --forcerun embed_network embed_features"
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise InputError(
            f"embedding: the vector of {names[bad[0]]} is not finite ({len(bad)} such); make it again"
        )


def prediction_rows(run: Run, scores: Mapping[str, np.ndarray], chosen: str) -> pd.DataFrame:
    """The `predictions` rows of a trained run; the log gets a line of them, `chosen` says what was chosen.

    `scores` are the probabilities (images, classes) of the parts `validation`, on which thresholds are
    chosen under `multi`, and `test`; images by id.
    """
    cuts, tables, f1 = None, [], {}
    if run.policy == "multi":
        cuts = thresholds(scores["validation"], truth(run, "validation"), masked(run, "validation"))
    for part in ("validation", "test"):
        predicted = decide(scores[part], run.policy, cuts, masked(run, part))
        tables.append(_rows(run, part, scores[part], predicted, cuts))
        f1[part] = macro_f1(truth(run, part), predicted)
    words = "%s: %s, macro F1 %.3f on validation, %.3f in test"
    logging.info(words, run.name, chosen, f1["validation"], f1["test"])
    return pd.concat(tables, ignore_index=True)


def _rows(
    run: Run, part: str, scores: np.ndarray, predicted: np.ndarray, cuts: np.ndarray | None
) -> pd.DataFrame:
    """The `predictions` rows of a part."""
    images, classes = run.part(part), run.classes
    seen = {row.tobytes(): row for row in predicted}
    named = {content: list(np.compress(row, classes)) for content, row in seen.items()}
    marks = {name: images[name].to_list() for name in ("masked", "annotated", "clean")}
    return pd.DataFrame(
        {
            **run.variant.columns,
            "split_unit": run.unit,
            "label_policy": run.policy,
            "fraction": run.fraction,
            "shots": run.shots,
            "seed": run.seed,
            "subset": part,
            **{name: images[name].to_numpy() for name in ("image_id", "fov_id", "gene")},
            "truth": images["labels"].to_list(),
            **marks,
            "predicted": [named[row.tobytes()] for row in predicted],
            "classes": [classes] * len(images),
            "probabilities": list(scores),
            "thresholds": [[] if cuts is None else cuts] * len(images),
            **run.trained_on,
        }
    )


def truth(run: Run, part: str) -> np.ndarray:
    """Which class each image of a part has, bool (images, classes); images by id."""
    return _indicators(run, part, "labels")


def masked(run: Run, part: str) -> np.ndarray:
    """Which class is neither right nor wrong for each image, as `truth`."""
    return _indicators(run, part, "masked")


def _indicators(run: Run, part: str, column: str) -> np.ndarray:
    names = [tuple(of_image) for of_image in run.part(part)[column]]
    found = {of_some: np.isin(run.classes, of_some) for of_some in set(names)}
    return np.stack([found[of_image] for of_image in names])


def report_absent(run: Run) -> None:
    """Log the classes that a run cannot learn."""
    present = set(run.part("train")["labels"].explode())
    absent = [name for name in run.classes if name not in present]
    if len(present) == 1:
        logging.warning("%s: all training images are %s: nothing to learn", run.name, *present)
    elif absent:
        logging.warning("%s: no training image, so not learned: %s", run.name, ", ".join(absent))
