"""Standard scores (vector - mean) / deviation that stay bounded on other vectors than they are taken from.

A feature after a ReLU may be zero in nearly all training images and not in a test image. Divided by such a
deviation, one reached 6,000 in the demo and outweighed all others.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

BOUND = 10.0  # of |score|: beyond what a normal variable reaches, and most features of the demo's backbones
FLOOR = 0.01  # share of the median deviation; the deviations of hand-made features differ by a factor of 700
ROUNDING = 1e-6  # share of the mean: a smaller deviation is that of float32's rounding


@dataclass(frozen=True)
class StandardScores:
    """How vectors are standardized: float32 (dimension,) each; a scale of 0 leaves a direction out."""

    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Float32 scores of `vectors` (images, dimension), between -BOUND and BOUND."""
        return np.clip((vectors - self.mean) * self.scale, -BOUND, BOUND, dtype=np.float32)

    @property
    def left_out(self) -> int:
        """How many directions hardly vary and count as 0."""
        return int((self.scale == 0).sum())

    def beyond(self, vectors: np.ndarray) -> int:
        """How many entries of `vectors` are clipped."""
        return int((np.abs((vectors - self.mean) * self.scale) > BOUND).sum())


def standard_scores(training: np.ndarray) -> StandardScores:
    """The standard scores of float `training` vectors (images, dimension).

    A direction with a deviation below FLOOR of the median one is left out: what hardly varies in training
    says nothing there, and could say anything elsewhere.
    """
    exact = training.astype(np.float64)
    mean, deviation = exact.mean(axis=0), exact.std(axis=0)
    deviation[deviation <= ROUNDING * np.abs(mean)] = 0
    varies = deviation > FLOOR * typical(deviation)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=varies)
    return StandardScores(mean.astype(np.float32), scale.astype(np.float32))


def standardized(vectors: np.ndarray) -> np.ndarray:
    """Float32 standard scores of `vectors` (images, dimension), of which they are taken themselves.

    For features in different units; labels are not asked. What is left out or clipped is logged.
    """
    scores = standard_scores(vectors)
    words = "%d of %d directions hardly vary and are left out; %d entries clipped"
    logging.info(words, scores.left_out, len(scores.scale), scores.beyond(vectors))
    return scores(vectors)


def typical(deviations: np.ndarray) -> float:
    """The median of those of the deviations that are above FLOOR of it: others do not shift it.

    From the largest downwards, the first such value.
    """
    found, before = float(deviations.max()), np.inf
    while found < before:
        found, before = float(np.median(deviations[deviations >= FLOOR * found])), found
    return found
