"""What changes over the steps: the learning rate, the weight decay, and how slowly the teacher follows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from protloc.config.settings import Pretraining


@dataclass(frozen=True)
class Moment:
    """The values at one step."""

    learning_rate: float
    weight_decay: float
    momentum: float


def moment(step: int, steps: int, settings: Pretraining) -> Moment:
    """The values at `step`, counted from 0, of `steps`: those of DINO's main_dino.py.

    One departure: at first the teacher is the mean of all students so far, so that in a short training it
    does not stay with its first, random weights.
    """
    done = step / steps
    momentum = cosine(settings.momentum, settings.final_momentum, done)
    return Moment(
        learning_rate=_learning_rate(step, steps, settings),
        weight_decay=cosine(settings.weight_decay, settings.final_weight_decay, done),
        momentum=min(momentum, 1 - 1 / (step + 2)),
    )


def same_start(step: int, steps: int, other_steps: int, settings: Pretraining) -> bool:
    """Whether two trainings of so many steps are the same before `step`."""
    return all(
        moment(before, steps, settings) == moment(before, other_steps, settings) for before in range(step)
    )


def cosine(first: float, last: float, done: float) -> float:
    """Between `first` at 0 and `last` at 1, slow at both ends."""
    return last + (first - last) * (1 + math.cos(math.pi * done)) / 2


def _learning_rate(step: int, steps: int, settings: Pretraining) -> float:
    """Rises by equal steps, stays if `cooldown_share` is below 1, and falls by a cosine.

    A rate that stays until a late fall (Hägele et al. 2024, arXiv 2405.18392) leaves the first part of a
    training independent of its length.
    """
    start = max(settings.warmup_steps, steps - round(settings.cooldown_share * steps))
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    if step < start:
        return settings.learning_rate
    return cosine(settings.learning_rate, settings.final_learning_rate, (step - start) / (steps - start))
