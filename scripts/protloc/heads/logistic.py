"""Logistic regression with an L2 penalty, multinomial or one against the rest, for a sweep of its strength.

The loss is scikit-learn's: C times the sum over images, plus half of the squared weights; biases are free.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from protloc.heads.choice import better, validation_f1
from protloc.heads.data import RunData
from protloc.heads.fitted import Fitted
from protloc.heads.lbfgs import Found, Value, minimize
from protloc.objective import losses, probabilities, slopes

TOLERANCE = 1e-4  # norm of the gradient, as a share of that of a head that says nothing
RANK = 1e-6  # share of the largest variance below which a direction is rounding
FLAT = 1e-4  # least second derivative of an image's loss that a guess is made with
LEAST = 1e-6  # share of a class at which the first biases start


def fit_logistic(vectors: np.ndarray, data: RunData, strengths: Sequence[float]) -> Fitted:
    """The logistic regression whose C, of `strengths`, has the highest macro F1 on validation.

    Of equals the one with the smaller loss, then the smaller C. `vectors` are float32 (images, dimension).
    """
    training, validation = (torch.tensor(data.standard(vectors, part)) for part in ("train", "validation"))
    space = _rotated(training)
    looked = torch.cat([torch.ones(len(validation), 1), validation @ space.rotation], 1)
    best, chosen, weights = (-1.0, 0.0), 0.0, torch.empty(0)
    for strength, found in _path(space, data, sorted(strengths)):
        score = _score(looked @ found, data)
        if better(score, best):
            best, chosen, weights = score, strength, found
    layer = (torch.mm(space.rotation, weights[1:]), weights[0])
    said = {"validation": validation, "test": torch.tensor(data.standard(vectors, "test"))}
    present = torch.tensor(data.present)
    said = {part: probabilities(of @ layer[0] + layer[1], present, data.policy) for part, of in said.items()}
    return Fitted(
        {part: of.numpy() for part, of in said.items()},
        [(layer[0].numpy(), layer[1].numpy().copy())],
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

    inputs: Tensor
    turned: Tensor
    variances: Tensor
    rotation: Tensor


def _rotated(training: Tensor) -> _Space:
    """The penalty is the same in any basis; in this one the Hessian is nearly diagonal, and no larger than
    the number of images asks for."""
    images, dimension = training.shape
    wide = images < dimension
    products = (training @ training.T if wide else training.T @ training).double()
    values, axes = torch.linalg.eigh(products)
    kept = values > RANK * values[-1]
    values, axes = values[kept], axes[:, kept]
    rotation = training.T @ (axes / values.sqrt()).float() if wide else axes.float()
    inputs = (axes * values.sqrt()).float() if wide else training @ rotation
    inputs = torch.cat([torch.ones(images, 1), inputs], 1)
    variances = torch.cat([torch.ones(1), values.float() / images])[:, None]
    return _Space(inputs, inputs.T.contiguous(), variances, rotation)


def _path(space: _Space, data: RunData, strengths: Sequence[float]) -> Iterator[tuple[float, Tensor]]:
    """Yield each C with its weights (1 + rank, classes), from strong penalties to weak ones.

    Each search starts where the last two point to.
    """
    function = _Function(space, data)
    found = before = function.start()
    tolerance, failed = TOLERANCE * float(function(torch.zeros_like(found), 0.0).gradient.norm()), []
    for strength in strengths:
        penalty = 1 / (strength * len(space.inputs))
        search = _search(function, penalty, 2 * found - before, tolerance)
        failed += [] if search.converged else [strength]
        before, found = found, search.point
        yield strength, found
    if failed:
        logging.warning("logistic regression: not converged at C %s", ", ".join(f"{of:.3g}" for of in failed))


def _search(function: _Function, penalty: float, start: Tensor, tolerance: float) -> Found:
    return minimize(lambda weights: function(weights, penalty), start, tolerance)


class _Function:
    """The mean loss of an image plus penalty / 2 times the squared weights."""

    def __init__(self, space: _Space, data: RunData) -> None:
        self._space, self._policy = space, data.policy
        self._targets, self._weights = torch.tensor(data.targets["train"]), torch.tensor(data.weights)
        masked = data.masked["train"]
        self._masked = torch.tensor(masked) if masked.any() else None
        # One against the rest is a sum over classes, whose mean `losses` takes.
        self._share = (len(data.weights) if data.policy == "multi" else 1) / len(masked)

    def start(self) -> Tensor:
        """Weights of 0, and biases that say how common each class is."""
        weights = torch.zeros(len(self._space.variances), len(self._weights))
        common = (self._targets * self._weights).mean(0).clamp(LEAST, 1 - LEAST)
        weights[0] = common.logit() if self._policy == "multi" else common.log()
        return weights

    def __call__(self, weights: Tensor, penalty: float) -> Value:
        """The value at weights (1 + rank, classes), its gradient, and about its second derivatives."""
        logits = self._space.inputs @ weights
        given = (logits, self._targets, self._weights, self._policy, self._masked)
        first, second = slopes(*given)
        penalized = penalty * weights
        penalized[0] = 0
        value = losses(*given).double().sum() * self._share + (penalized * weights).double().sum() / 2
        curvature = self._space.variances * (second.sum(0) * self._share).clamp(min=FLAT) + penalty
        return Value(
            float(value), torch.addmm(penalized, self._space.turned, first, alpha=self._share), curvature
        )


def _score(logits: Tensor, data: RunData) -> tuple[float, float]:
    """Macro F1 of the validation part's logits, and minus their mean loss."""
    masked, weights = data.masked["validation"], torch.tensor(data.weights)
    said = probabilities(logits, torch.tensor(data.present), data.policy).numpy()
    loss = losses(
        logits, torch.tensor(data.targets["validation"]), weights, data.policy, torch.tensor(masked)
    )
    f1 = validation_f1(said, data.truth["validation"], data.unscored["validation"], data.policy)
    return f1, -float(loss.double().mean())


def _edge(chosen: float, strengths: Sequence[float]) -> str | None:
    if len(strengths) > 1 and chosen in (min(strengths), max(strengths)):
        return f"C {chosen:.3g} is at the edge of what was tried; widen probe.c"
    return None
