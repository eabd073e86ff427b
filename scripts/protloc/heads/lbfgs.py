"""The minimum of a smooth convex function by L-BFGS in its compact form (Byrd, Nocedal & Schnabel 1994).

Few large products instead of two loops over what is remembered: the vectors here are short, and each call of
torch takes as long as its sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

MEMORY, MOST = 10, 500  # pairs that are remembered; evaluations
DECREASE, NOISE = 1e-4, 1e-6  # Armijo's share of the expected decrease; of the value, what rounding may hide
SHORTEST = 1e-3  # step, as a share of the one that is expected to be right; below it is rounding
FIRST = 1e-12  # the same of the first step, whose guess of the curvature may be far off


class Value(NamedTuple):
    """A function at a point: its value, gradient, and about the diagonal of its Hessian, of that shape."""

    value: float
    gradient: Tensor
    curvature: Tensor


class Found(NamedTuple):
    """Where the search ended, and whether the gradient's norm is within the tolerance there."""

    point: Tensor
    converged: bool


def minimize(function: Callable[[Tensor], Value], start: Tensor, tolerance: float) -> Found:
    """The point at which the norm of the gradient is at most `tolerance`, from `start` on.

    The curvature at the start is the first guess of the Hessian's diagonal.
    """
    point, here, evaluations = start, function(start), 1
    memory = _Memory(here.curvature.reshape(-1).reciprocal())
    while not float(here.gradient.norm()) <= tolerance:  # one that is not a number is not
        if evaluations >= MOST:
            return Found(point, False)
        direction = memory.newton(here.gradient.reshape(-1)).reshape(point.shape)
        slope, step = float((direction * here.gradient).sum()), 1.0
        shortest = SHORTEST if len(memory) else FIRST
        there = function(point - direction)
        while not _accepted(here, there, direction, step * slope) and step > shortest:
            step /= 2
            there = function(point - step * direction)
            evaluations += 1
        memory.add(-step * direction.reshape(-1), (there.gradient - here.gradient).reshape(-1))
        point, here, evaluations = point - step * direction, there, evaluations + 1
    return Found(point, True)


def _accepted(here: Value, there: Value, direction: Tensor, expected: float) -> bool:
    """Whether a step leads down: enough, up to rounding, or it still descends at its end."""
    enough = there.value <= here.value - DECREASE * expected + NOISE * abs(here.value)
    return enough or float((direction * there.gradient).sum()) >= 0


class _Memory:
    """The last steps and changes of the gradient, (pairs, dimension) each, oldest first."""

    def __init__(self, inverse: Tensor) -> None:
        self._inverse = inverse
        self._steps = self._changes = torch.empty(0, len(inverse))

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: Tensor, change: Tensor) -> None:
        """Remember a pair, if it says something of the curvature."""
        if float(step @ change) > 1e-10 * float(change @ change):
            self._steps = torch.cat([self._steps, step[None]])[-MEMORY:]
            self._changes = torch.cat([self._changes, change[None]])[-MEMORY:]

    def newton(self, gradient: Tensor) -> Tensor:
        """The inverse of the Hessian, as far as it is known, times the gradient."""
        first = self._inverse * gradient
        if not len(self._steps):
            return first
        scaled = self._changes * self._inverse
        products = self._steps @ self._changes.T
        upper, diagonal = products.triu(), products.diagonal()
        along = torch.linalg.solve_triangular(upper, (self._steps @ gradient)[:, None], upper=True)
        rest = diagonal[:, None] * along + self._changes @ (scaled.T @ along) - (scaled @ gradient)[:, None]
        back = torch.linalg.solve_triangular(upper.T, rest, upper=False)
        return first + (self._steps.T @ back)[:, 0] - (scaled.T @ along)[:, 0]
