"""Scores that take the labels as they were given: any annotated class, clean labels, what labels allow."""

from __future__ import annotations

import numpy as np

from protloc.evaluate.f1 import macro
from protloc.evaluate.levels import Level


def any_annotated(level: Level) -> np.ndarray:
    """Counts (rows, 3, 1) of which F1 is the share of rows where the likeliest class is annotated at all.

    The likeliest of all classes, masked or not. A row that is wrong is a false positive and a false negative.
    """
    likeliest = level.probabilities.argmax(axis=1)
    hit = np.take_along_axis(level.annotated, likeliest[:, None], axis=1)
    return np.stack([hit, ~hit, ~hit], axis=1).astype(np.int64)


def clean_alone(level: Level) -> np.ndarray:
    """The counts of the level, of rows alone with one clean label; of others 0."""
    return level.counts * level.clean[:, None, None]


def label_ceiling(level: Level, policy: str) -> float:
    """The macro F1 of a reader who sees every annotated class and does not know which grades count.

    With one label an image that reader names one of the annotated classes, each as likely, and is scored by
    the expected counts; under `multi` all of them. Masked classes are no choice, so with all lower grades
    masked it is 1: only labels that contradict the score lower it.
    """
    named = (level.annotated & ~level.masked).astype(float)
    if policy != "multi":
        named /= named.sum(axis=1, keepdims=True)
    truth = level.truth.astype(float)
    expected = np.stack([truth * named, (1 - truth) * named, truth * (1 - named)], axis=1)
    return float(macro(expected.sum(axis=0)))
