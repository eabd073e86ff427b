"""Fragments joined to nuclei: a tree of merges, and the cut through it whose parts are most like nuclei."""

from __future__ import annotations

import heapq
import math

import numpy as np

from protloc.cells.nuclei.ellipse import likeness, moments


def merge(fragments: np.ndarray, rim: np.ndarray) -> tuple[np.ndarray, float]:
    """Label the nuclei, int32 (height, width), that the fragments make up, and give their worth.

    The worth of a shape is its area times its likeness to a nucleus, so neither many nor few are favoured.
    """
    tree = _Tree(moments(fragments, rim), _borders(fragments))
    tree.grow()
    number = np.zeros(int(fragments.max()) + 1, np.int32)
    for label, parts in enumerate(tree.cut(), 1):
        number[parts] = label
    return number[fragments], tree.worth()


def _borders(labels: np.ndarray) -> dict[int, dict[int, int]]:
    """For each label its neighbours, and the length of the border with each, px."""
    base, pairs = int(labels.max()) + 1, []
    for one, other in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        meet = (one != other) & (one > 0) & (other > 0)
        low, high = np.minimum(one, other)[meet], np.maximum(one, other)[meet]
        pairs.append(low.astype(np.int64) * base + high)
    borders: dict[int, dict[int, int]] = {label: {} for label in range(1, base)}
    for pair, length in zip(*np.unique(np.concatenate(pairs), return_counts=True), strict=True):
        low, high = divmod(int(pair), base)
        borders[low][high] = borders[high][low] = int(length)
    return borders


class _Tree:
    """Shapes that are joined two by two, first those that gain most by it."""

    def __init__(self, sums: np.ndarray, borders: dict[int, dict[int, int]]) -> None:
        self._sums = {shape: sums[shape].tolist() for shape in borders}
        self._borders = borders
        self._worth = {shape: own[0] * likeness(own) for shape, own in self._sums.items()}
        self._best = dict(self._worth)  # of the shape, or of its parts where that is more
        self._parts = {shape: [shape] for shape in borders}
        self._cut = {shape: [[shape]] for shape in borders}
        self._queue: list[tuple[float, int, int]] = []
        for shape, neighbours in borders.items():
            for other in neighbours:
                if shape < other:
                    self._offer(shape, other)

    def grow(self) -> None:
        """Join until nothing touches; of each join remember whether the whole or its parts are worth more."""
        new = max(self._parts, default=0)
        while self._queue:
            _, one, other = heapq.heappop(self._queue)
            if one in self._sums and other in self._sums:
                new += 1
                self._join(one, other, new)

    def cut(self) -> list[list[int]]:
        """The best shapes, each a list of the labels it is made of."""
        return [parts for root in sorted(self._sums) for parts in self._cut[root]]

    def worth(self) -> float:
        """What the best shapes are worth together, px²."""
        return sum(self._best[root] for root in sorted(self._sums))

    def _offer(self, one: int, other: int) -> None:
        """Queue a pair: the wider its neck and the more it is worth joined than apart, the earlier."""
        both = _added(self._sums[one], self._sums[other])
        neck = self._borders[one][other] / math.sqrt(min(self._sums[one][0], self._sums[other][0]))
        gain = both[0] * likeness(both) / (self._worth[one] + self._worth[other])
        heapq.heappush(self._queue, (-neck * gain, one, other))

    def _join(self, one: int, other: int, new: int) -> None:
        self._sums[new] = both = _added(self._sums.pop(one), self._sums.pop(other))
        self._parts[new] = self._parts[one] + self._parts[other]
        self._worth[new] = whole = both[0] * likeness(both)
        apart = self._best[one] + self._best[other]
        self._best[new] = max(whole, apart)
        self._cut[new] = [self._parts[new]] if whole >= apart else self._cut[one] + self._cut[other]
        a, b = self._borders.pop(one), self._borders.pop(other)
        self._borders[new] = {
            third: a.get(third, 0) + b.get(third, 0) for third in sorted({*a, *b} - {one, other})
        }
        for third, length in self._borders[new].items():
            for gone in (one, other):
                self._borders[third].pop(gone, None)
            self._borders[third][new] = length
            self._offer(third, new)


def _added(one: list[float], other: list[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)]
