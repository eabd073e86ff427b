"""What chance decides, from seed, epoch and place in it alone: a run that goes on draws the same again."""

from __future__ import annotations

import numpy as np

ORDER, SAMPLE = range(2)


def order(seed: int, epoch: int, fields: int, count: int) -> np.ndarray:
    """`count` of the numbers 0 to `fields`, int64: one random order of all after another."""
    rng = np.random.default_rng([seed, ORDER, epoch])
    return np.concatenate([rng.permutation(fields) for _ in range(-(-count // fields))])[:count]


def sample_rng(seed: int, epoch: int, place: int) -> np.random.Generator:
    """The chance of what is shown at one place of an epoch, whoever prepares it."""
    return np.random.default_rng([seed, SAMPLE, epoch, place])


def steps_of(fields: int, batch_size: int, min_steps: int) -> int:
    """Steps of an epoch: every field once, and a few some more, so that all batches are whole."""
    return max(-(-fields // batch_size), min_steps)
