"""The predictions of a run counted for its fields, and for its proteins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.preprocessing import MultiLabelBinarizer

from protloc.decide import decide
from protloc.evaluate.f1 import count


@dataclass(frozen=True)
class Level:
    """The protein of each row, text (rows,), what is true, how likely it is said to be, and what was decided.

    counts: int64 (rows, 3, classes). truth, probabilities: (rows, classes), of the named classes.
    """

    genes: np.ndarray
    counts: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray
    classes: list[str]


def levels(run: pd.DataFrame, policy: str) -> dict[str, Level]:
    """Both levels of a run by the prefix of their metrics: none for fields, `protein_` for proteins.

    `run` holds rows of `predictions`. A protein is predicted from the mean of its fields' probabilities.
    """
    binarizer = MultiLabelBinarizer(classes=run["classes"].iloc[0]).fit([])
    truth, predicted = (_indicators(run[name], binarizer) for name in ("truth", "predicted"))
    classes, scores = list(run["classes"].iloc[0]), np.stack(run["probabilities"]).astype(float)
    fields = Level(run["gene"].to_numpy(), count(truth, predicted), truth, scores, classes)
    genes, first, protein = np.unique(fields.genes.astype(str), return_index=True, return_inverse=True)
    sums = np.zeros((len(genes), truth.shape[1]))
    np.add.at(sums, protein, scores)
    cuts = np.asarray(run["thresholds"].iloc[0]) if len(run["thresholds"].iloc[0]) else None
    means = sums / np.bincount(protein)[:, None]
    counts = count(truth[first], decide(means, policy, cuts))
    return {"": fields, "protein_": Level(genes, counts, truth[first], means, classes)}


def _indicators(labels: pd.Series, binarizer: MultiLabelBinarizer) -> np.ndarray:
    """Which classes each row names: bool (rows, classes). The few sets that there are are looked up once."""
    sets: dict[tuple[str, ...], int] = {}
    places = [sets.setdefault(tuple(names), len(sets)) for names in labels]
    return binarizer.transform(list(sets)).astype(bool)[places]
