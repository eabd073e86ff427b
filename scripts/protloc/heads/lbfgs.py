"""The minimum of a smooth convex function by L-BFGS in its compact form (Byrd, Nocedal & Schnabel 1994).

Few large products instead of two loops over what is remembered: the vectors here are short, and each call of
NumPy takes as long as its sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

MEMORY, MOST = 10, 500  # pairs that are remembered; evaluations
DECREASE, NOISE = 1e-4, 1e-6  # Armijo's share of the expected decrease; of the value, what rounding may hide
SHORTEST = 1e-12  # step, as a share of the one that is expected to be right; below it is rounding


class Value(NamedTuple):
    """A function at a point: its value, and its gradient of the point's shape."""

    value: float
    gradient: np.ndarray


class Found(NamedTuple):
    """Where the search ended, and whether the gradient's norm is within the tolerance there."""

    point: np.ndarray
    converged: bool


def minimize(
    function: Callable[[np.ndarray], Value], start: np.ndarray, curvature: np.ndarray, tolerance: float
) -> Found:
    """The point at which the norm of the gradient is at most `tolerance`, from `start` on.

    `curvature`, of the shape of `start`, is the first guess of the Hessian's diagonal.
    """
    point, here, evaluations = start, function(start), 1
    memory = _Memory(1 / curvature.ravel())
    while not _norm(here.gradient) <= tolerance:  # one that is not a number is not
        if evaluations >= MOST:
            return Found(point, False)
        direction = memory.newton(here.gradient.ravel()).reshape(point.shape)
        slope, step = np.vdot(direction, here.gradient), 1.0
        there = function(point - direction)
        while not _accepted(here, there, direction, step * slope) and step > SHORTEST:
            step /= 2
            there = function(point - step * direction)
            evaluations += 1
        direction = step * direction
        memory.add(-direction.ravel(), (there.gradient - here.gradient).ravel())
        point, here, evaluations = point - direction, there, evaluations + 1
    return Found(point, True)


def _norm(gradient: np.ndarray) -> float:
    return float(np.sqrt(np.vdot(gradient, gradient)))


def _accepted(here: Value, there: Value, direction: np.ndarray, expected: float) -> bool:
    """Whether a step leads down: enough, up to rounding, or it still descends at its end."""
    enough = there.value <= here.value - DECREASE * expected + NOISE * abs(here.value)
    return bool(enough or np.vdot(direction, there.gradient) >= 0)


class _Memory:
    """The last steps s and changes y of the gradient, (pairs, dimension); a new pair replaces the oldest.

    With them the changes times the first guess H of the inverse Hessian, and the products s y and y H y of
    each pair with each, so that a new pair costs three products with a vector.
    """

    def __init__(self, inverse: np.ndarray) -> None:
        self._inverse, self._count = inverse, 0
        self._steps, self._changes, self._scaled = np.zeros((3, MEMORY, len(inverse)), inverse.dtype)
        self._across, self._among = np.zeros((2, MEMORY, MEMORY), inverse.dtype)

    def __len__(self) -> int:
        return min(self._count, MEMORY)

    def add(self, step: np.ndarray, change: np.ndarray) -> None:
        """Remember a pair, if it says something of the curvature."""
        if not np.vdot(step, change) > 1e-10 * np.vdot(change, change):
            return
        at = self._count % MEMORY
        self._steps[at], self._changes[at], self._scaled[at] = step, change, change * self._inverse
        self._across[at], self._across[:, at] = self._changes @ step, self._steps @ change
        self._among[at] = self._among[:, at] = self._scaled @ change
        self._count += 1

    def newton(self, gradient: np.ndarray) -> np.ndarray:
        """The inverse of the Hessian, as far as it is known, times the gradient."""
        first, kept = self._inverse * gradient, len(self)
        if not kept:
            return first
        order = np.arange(self._count - kept, self._count) % MEMORY
        upper = np.triu(self._across[np.ix_(order, order)])
        along = np.linalg.solve(upper, (self._steps @ gradient)[order])
        rest = self._among[np.ix_(order, order)] @ along + np.diag(upper) * along
        rest -= (self._scaled @ gradient)[order]
        back, ahead = np.zeros((2, MEMORY), gradient.dtype)
        back[order], ahead[order] = np.linalg.solve(upper.T, rest), along
        return first + back @ self._steps - ahead @ self._scaled
