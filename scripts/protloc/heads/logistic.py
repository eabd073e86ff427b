"""Logistic regression with an L2 penalty, multinomial or one against the rest, for a sweep of its strength.

The loss is scikit-learn's: C times the sum over images, plus half of the squared weights; biases are free.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from protloc.heads.choice import better, validation_f1
from protloc.heads.data import RunData
from protloc.heads.fitted import Fitted
from protloc.heads.lbfgs import Found, Value, minimize
from protloc.heads.likelihood import Likelihood, probabilities

TOLERANCE = 1e-4  # norm of the gradient, as a share of that of a head that says nothing
RANK = 1e-6  # share of the largest variance below which a direction is rounding
FLAT = 1e-4  # least second derivative of an image's loss that a guess is made with
LEAST = 1e-6  # share of a class at which the first biases start


def fit_logistic(vectors: np.ndarray, data: RunData, strengths: Sequence[float]) -> Fitted:
    """The logistic regression whose C, of `strengths`, has the highest macro F1 on validation.

    Of equals the one with the smaller loss, then the smaller C. `vectors` are float32 (images, dimension).
    """
    training, validation = (data.standard(vectors, part) for part in ("train", "validation"))
    space, loss = _rotated(training), Likelihood(data, "validation")
    looked = np.hstack([np.ones((len(validation), 1), np.float32), validation @ space.rotation])
    best, chosen, weights = (-1.0, 0.0), 0.0, np.empty(0)
    for strength, found in _path(space, data, sorted(strengths)):
        score = _score(looked @ found, data, loss)
        if better(score, best):
            best, chosen, weights = score, strength, found
    layer = (space.rotation @ weights[1:], weights[0].copy())
    parts = {"validation": validation, "test": data.standard(vectors, "test")}
    return Fitted(
        {
            part: probabilities(of @ layer[0] + layer[1], data.present, data.policy)
            for part, of in parts.items()
        },
        [layer],
        best[0],
        -best[1],
        f"C {chosen:.3g}",
        _edge(chosen, strengths),
    )


class _Space(NamedTuple):
    """Training vectors in the basis of their principal axes, after a column of ones.

    inputs: (images, 1 + rank). turned: its transpose, as products with it are faster. variances:
    (1 + rank, 1). rotation: (dimension, rank), whose columns are the axes.
    """

    inputs: np.ndarray
    turned: np.ndarray
    variances: np.ndarray
    rotation: np.ndarray


def _rotated(training: np.ndarray) -> _Space:
    """The penalty is the same in any basis; in this one the Hessian is nearly diagonal, and no larger than
    the number of images asks for."""
    images, dimension = training.shape
    wide = images < dimension
    products = (training @ training.T if wide else training.T @ training).astype(np.float64)
    values, axes = np.linalg.eigh(products)
    kept = values > RANK * values[-1]
    values, axes = values[kept], axes[:, kept]
    rotation = training.T @ np.float32(axes / np.sqrt(values)) if wide else np.float32(axes)
    inputs = np.float32(axes * np.sqrt(values)) if wide else training @ rotation
    inputs = np.hstack([np.ones((images, 1), np.float32), inputs])
    variances = np.float32(np.append(1, values / images))[:, None]
    return _Space(inputs, np.ascontiguousarray(inputs.T), variances, rotation)


def _path(space: _Space, data: RunData, strengths: Sequence[float]) -> Iterator[tuple[float, np.ndarray]]:
    """Yield each C with its weights (1 + rank, classes), from strong penalties to weak ones.

    Each search starts where the last two point to.
    """
    function = _Function(space, data)
    found = before = function.start()
    tolerance = TOLERANCE * float(np.linalg.norm(function(np.zeros_like(found), 0.0).gradient))
    failed = []
    for strength in strengths:
        penalty = 1 / (strength * len(space.inputs))
        search = _search(function, penalty, 2 * found - before, tolerance)
        failed += [] if search.converged else [strength]
        before, found = found, search.point
        yield strength, found
    if failed:
        logging.warning("logistic regression: not converged at C %s", ", ".join(f"{of:.3g}" for of in failed))


def _search(function: _Function, penalty: float, start: np.ndarray, tolerance: float) -> Found:
    curvature = function.curvature(start, penalty)
    return minimize(lambda weights: function(weights, penalty), start, curvature, tolerance)


class _Function:
    """The mean loss of an image plus penalty / 2 times the squared weights."""

    def __init__(self, space: _Space, data: RunData) -> None:
        self._space, self._data, self._loss = space, data, Likelihood(data, "train")
        # One against the rest is a sum over classes, of whose losses `Likelihood` takes the mean.
        self._share = (len(data.weights) if data.policy == "multi" else 1) / len(space.inputs)

    def start(self) -> np.ndarray:
        """Weights of 0, and biases that say how common each class is."""
        data = self._data
        weights = np.zeros((len(self._space.variances), len(data.weights)), np.float32)
        common = (data.targets["train"] * data.weights).mean(axis=0).clip(LEAST, 1 - LEAST)
        weights[0] = np.log(common / (1 - common) if data.policy == "multi" else common)
        return weights

    def __call__(self, weights: np.ndarray, penalty: float) -> Value:
        """The value at weights (1 + rank, classes), and its gradient."""
        lost, slopes = self._loss(self._space.inputs @ weights)
        gradient = self._space.turned @ slopes
        gradient *= self._share
        gradient[1:] += penalty * weights[1:]
        squares = np.square(weights[1:]).sum(dtype=np.float64)
        return Value(float(lost.sum(dtype=np.float64) * self._share + penalty * squares / 2), gradient)

    def curvature(self, weights: np.ndarray, penalty: float) -> np.ndarray:
        """About the second derivatives at weights (1 + rank, classes)."""
        second = self._loss.curvature(self._space.inputs @ weights) * self._share
        return self._space.variances * second.clip(min=FLAT) + np.float32(penalty)


def _score(logits: np.ndarray, data: RunData, loss: Likelihood) -> tuple[float, float]:
    """Macro F1 of the validation part's logits, and minus their mean loss."""
    said = probabilities(logits, data.present, data.policy)
    f1 = validation_f1(said, data.truth["validation"], data.unscored["validation"], data.policy)
    return f1, -float(loss(logits)[0].mean(dtype=np.float64))


def _edge(chosen: float, strengths: Sequence[float]) -> str | None:
    if len(strengths) > 1 and chosen in (min(strengths), max(strengths)):
        return f"C {chosen:.3g} is at the edge of what was tried; widen probe.c"
    return None
