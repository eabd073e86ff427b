"""What changes over the steps: the learning rate, and how slowly the teacher follows."""

from __future__ import annotations

from dataclasses import dataclass

from protloc.config.settings import Pretraining


@dataclass(frozen=True)
class Moment:
    """The values at one step."""

    learning_rate: float
    momentum: float


def moment(step: int, steps: int, settings: Pretraining) -> Moment:
    """The values at `step`, counted from 0, of `steps`.

    The learning rate rises, stays, and falls to zero (Hägele et al. 2024, arXiv 2405.18392): until the fall
    nothing depends on how many steps follow, so a checkpoint serves longer and shorter runs too.
    """
    risen = min(1.0, (step + 1) / settings.warmup_steps)
    fall = steps - cooldown_start(steps, settings)
    left = min(1.0, (steps - step) / fall) if fall else 1.0
    return Moment(
        learning_rate=settings.learning_rate * risen * left,
        momentum=min(settings.momentum, 1 - 1 / (step + 2)),
    )


def cooldown_start(steps: int, settings: Pretraining) -> int:
    """The step from which on the learning rate falls."""
    return steps - round(settings.cooldown_share * steps)
