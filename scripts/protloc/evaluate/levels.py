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
    """The protein of each row, text (rows,), and its counts, int64 (rows, 3, classes)."""

    genes: np.ndarray
    counts: np.ndarray


def levels(run: pd.DataFrame, policy: str) -> dict[str, Level]:
    """Both levels of a run by the prefix of their metrics: none for fields, `protein_` for proteins.

    `run` holds rows of `predictions`. A protein is predicted from the mean of its fields' probabilities.
    """
    binarizer = MultiLabelBinarizer(classes=run["classes"].iloc[0])
    truth = binarizer.fit_transform(run["truth"]).astype(bool)
    predicted = binarizer.transform(run["predicted"]).astype(bool)
    fields = Level(run["gene"].to_numpy(), count(truth, predicted))
    genes, first, protein = np.unique(fields.genes.astype(str), return_index=True, return_inverse=True)
    sums = np.zeros((len(genes), truth.shape[1]))
    np.add.at(sums, protein, np.stack(run["probabilities"]).astype(float))
    cuts = np.asarray(run["thresholds"].iloc[0]) if len(run["thresholds"].iloc[0]) else None
    means = sums / np.bincount(protein)[:, None]
    return {"": fields, "protein_": Level(genes, count(truth[first], decide(means, policy, cuts)))}
