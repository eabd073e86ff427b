"""Any kind of head on a pack of runs: the one way in, for the probe and for fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from protloc.heads.data import RunData
from protloc.heads.fitted import Fitted
from protloc.heads.logistic import fit_logistic
from protloc.heads.majority import fit_majority

LOGISTIC = "logistic"


def fit_heads(
    vectors: np.ndarray, runs: Sequence[RunData], head: str, settings: Mapping[str, Any]
) -> list[Fitted]:
    """A fitted head of each run, to the bit what it is alone. `settings` are the probe's.

    `vectors` are float32 (images, dimension), the runs of one policy and the same classes. Where the training
    vectors do not vary the head is that of a majority guess.
    """
    varying = [run for run in runs if run.scores.scale.any()]
    if head == LOGISTIC:
        fitted = iter([fit_logistic(vectors, run, settings["c"]) for run in varying])
    else:
        from protloc.heads.pack import fit_pack  # torch, which takes longer to import than many fits

        fitted = iter(fit_pack(vectors, varying, head, settings) if varying else [])
    return [next(fitted) if run.scores.scale.any() else fit_majority(run) for run in runs]
