"""p values of many comparisons (Holm 1979, Scand. J. Statist. 6, 65)."""

from __future__ import annotations

import numpy as np
import pandas as pd


def holm(p: pd.Series) -> np.ndarray:
    """The p values of one family, corrected: all that are below α are so together with probability 1 - α.

    Float64, in the order given; what is NaN stays so and does not count.
    """
    values = p.to_numpy(float)
    order = np.argsort(values)[: np.isfinite(values).sum()]  # NaN comes last
    corrected = np.full(len(values), np.nan)
    steps = values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected
