"""What every choice is made by: macro F1 on the validation part, as it is reported on the test part."""

from __future__ import annotations

import numpy as np

from protloc.decide import decide
from protloc.macro_f1 import macro_f1
from protloc.thresholds import thresholds


def validation_f1(probabilities: np.ndarray, truth: np.ndarray, unscored: np.ndarray, policy: str) -> float:
    """Macro F1 of probabilities (images, classes), with thresholds chosen on the same images under `multi`.

    Decided as for the predictions: `unscored`, bool (images, classes), counts as neither true nor false.
    """
    cuts = thresholds(probabilities, truth, unscored) if policy == "multi" else None
    return macro_f1(truth, decide(probabilities, policy, cuts, unscored))


def better(score: tuple[float, float], best: tuple[float, float]) -> bool:
    """Whether a macro F1 and minus a loss are better than others: of equal F1 the smaller loss."""
    return (round(score[0], 9), score[1]) > (round(best[0], 9), best[1])
