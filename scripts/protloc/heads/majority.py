"""The head of vectors that do not vary: it says how common each class is, and predicts the commonest."""

from __future__ import annotations

import numpy as np

from protloc.heads.choice import validation_f1
from protloc.heads.data import RunData
from protloc.heads.fitted import Fitted

LEAST = 1e-6  # share whose logit a layer has instead of that of 0


def fit_majority(data: RunData) -> Fitted:
    """The share of each class among training images, whatever classes count in a loss.

    Under `multi` the others have none: thresholds, which are chosen for the best F1, would predict them all.
    """
    shares = np.where(data.masked["train"], 0, data.targets["train"] > 0).mean(axis=0)
    if data.policy == "multi":
        shares = np.where(np.arange(len(shares)) == shares.argmax(), shares, 0)
    said = {part: np.tile(np.float32(shares), (len(data.rows[part]), 1)) for part in ("validation", "test")}
    f1 = validation_f1(said["validation"], data.truth["validation"], data.unscored["validation"], data.policy)
    odds = shares.clip(LEAST, 1 - LEAST)
    biases = np.float32(np.log(odds / (1 - odds) if data.policy == "multi" else odds))
    layer = (np.zeros((len(data.scores.scale), len(shares)), np.float32), biases)
    return Fitted(said, [layer], f1, float("nan"), "the commonest class, as the vectors do not vary")
