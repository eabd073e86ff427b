"""What comes out of fitting a head to a run's data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fitted:
    """A fitted head, and what was chosen.

    probabilities: float32 (rows, classes) of `validation` and `test`. layers: weights (in, out) and
    biases (out,), float32, with ReLU between them; they take standard scores.
    f1, loss: on validation. chosen: what was chosen there, in words. edge: what to do about a choice that
    lies at the edge of what was tried, or None.
    """

    probabilities: Mapping[str, np.ndarray]
    layers: Sequence[tuple[np.ndarray, np.ndarray]]
    f1: float
    loss: float
    chosen: str
    edge: str | None = None
