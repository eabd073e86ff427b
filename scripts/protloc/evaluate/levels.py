"""The predictions of a run counted for its images, and for its proteins, in each subset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from protloc.decide import decide
from protloc.evaluate.f1 import count
from protloc.indicators import indicators
from protloc.policies import HAND
from protloc.thresholds import thresholds


@dataclass(frozen=True)
class Level:
    """Rows that stand for images or for proteins: the protein of each, text (rows,), and what is known of it.

    truth, masked, annotated: bool (rows, classes) of the named classes; probabilities: float64 likewise.
    clean: bool (rows,). predicted: what was decided, bool as truth.
    """

    genes: np.ndarray
    truth: np.ndarray
    masked: np.ndarray
    annotated: np.ndarray
    clean: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    classes: list[str]

    @cached_property
    def counts(self) -> np.ndarray:
        """True positives, false positives and false negatives, int64 (rows, 3, classes), unless masked."""
        return count(self.truth, self.predicted & ~self.masked)


def levels(run: pd.DataFrame, policy: str) -> dict[str, dict[str, Level]]:
    """Both levels of a run by subset and by the prefix of their metrics: none for images, `protein_`.

    `run` holds rows of `predictions`. A protein is predicted from the mean of its images' probabilities;
    under `multi` by thresholds that are chosen on such means of the subset `validation`, where it is there.
    Labels that cells were given by hand are of no protein: then there is the level of images alone.
    """
    images = {subset: _images(rows) for subset, rows in run.groupby("subset")}
    if policy == HAND:
        return {subset: {"": level} for subset, level in images.items()}
    means = {subset: _means(level) for subset, level in images.items()}
    cuts = None
    if policy == "multi" and "validation" in means:
        chosen_on = means["validation"]
        cuts = thresholds(chosen_on.probabilities, chosen_on.truth, chosen_on.masked)
    proteins = {subset: _decided(level, policy, cuts) for subset, level in means.items()}
    return {subset: {"": images[subset], "protein_": proteins[subset]} for subset in images}


def _images(rows: pd.DataFrame) -> Level:
    classes = list(rows["classes"].iloc[0])
    columns = ("truth", "masked", "annotated", "predicted")
    found = {name: indicators(rows[name], classes) for name in columns}
    return Level(
        genes=rows["gene"].to_numpy(),
        clean=rows["clean"].to_numpy(bool),
        probabilities=np.stack(rows["probabilities"]).astype(float),
        classes=classes,
        **found,
    )


def _means(images: Level) -> Level:
    """The proteins of a subset with the means of their images' probabilities; nothing is decided yet."""
    genes, first, protein = np.unique(images.genes.astype(str), return_index=True, return_inverse=True)
    sums = np.zeros((len(genes), len(images.classes)))
    np.add.at(sums, protein, images.probabilities)
    known = {name: getattr(images, name)[first] for name in ("truth", "masked", "annotated", "clean")}
    means = sums / np.bincount(protein)[:, None]
    return Level(genes=genes, probabilities=means, predicted=means > 1, classes=images.classes, **known)


def _decided(level: Level, policy: str, cuts: np.ndarray | None) -> Level:
    predicted = decide(level.probabilities, policy, cuts, level.masked)
    return replace(level, predicted=predicted)
