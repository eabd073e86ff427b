"""Many heads of one shape as stacked matrices: one product trains them all, and each as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

HIDDEN: dict[str, tuple[int, ...]] = {"linear": (), "mlp": (512, 256), "wide": (1024,)}
LANE = 16  # widths are multiples of this: then every matrix of a stack is aligned alike, and its product is
# computed alike whatever its place; a width of 17 gave other last bits alone than in company


def padded(width: int) -> int:
    """The next multiple of LANE."""
    return -(-width // LANE) * LANE


class Heads(nn.Module):
    """Stacked multilayer perceptrons, weights (heads, in, out), each from its own seed.

    `hidden` are the widths between the vectors and the classes, with ReLU and `dropout` after each; none is a
    linear classifier. The widest published head, 768-512-256-n, is DINO4Cells'. `used` are the directions
    that vary, bool (dimension,) by seed. Each seed has `copies` heads, next to each other, which are shown
    the same.
    """

    def __init__(
        self,
        dimension: int,
        hidden: Sequence[int],
        classes: int,
        dropout: float,
        seeds: Sequence[Sequence[int]],
        used: Sequence[np.ndarray],
        copies: int = 1,
    ) -> None:
        super().__init__()
        self.classes, self.dropout, self.copies, self._hidden = classes, dropout, copies, tuple(hidden)
        self._used = [torch.from_numpy(of_seed) for of_seed in used for _ in range(copies)]
        widths = [dimension, *hidden, classes]
        self.chance = [torch.Generator().manual_seed(_mixed(seed)) for seed in seeds for _ in range(copies)]
        layers = [
            self._layer(*shape, first=place == 0, last=place == len(hidden))
            for place, shape in enumerate(pairwise(widths))
        ]
        self.weights = nn.ParameterList(weight for weight, _ in layers)
        self.biases = nn.ParameterList(bias for _, bias in layers)

    def _layer(self, inputs: int, outputs: int, first: bool, last: bool) -> tuple[nn.Parameter, nn.Parameter]:
        """Weights as torch's Linear draws them, and biases of 0; the last layer starts from 0 altogether.

        What is not used has weights of 0, and no say in the draw of the others.
        """
        weight = torch.zeros(len(self.chance), padded(inputs), padded(outputs))
        bias = torch.zeros(len(self.chance), 1, padded(outputs))
        if not last:
            for head, chance in enumerate(self.chance):
                rows = self._used[head].nonzero()[:, 0] if first else torch.arange(inputs)
                bound = max(len(rows), 1) ** -0.5
                drawn = torch.empty(len(rows), outputs).uniform_(-bound, bound, generator=chance)
                weight[head, rows, :outputs] = drawn
        return nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, vectors: Tensor) -> Tensor:
        """Logits (heads, rows, classes) of standardized vectors, (seeds, rows, padded dimension)."""
        found = self._first(vectors) + self.biases[0]
        for weight, bias in list(zip(self.weights, self.biases, strict=True))[1:]:
            found = torch.baddbmm(bias, self._drop(found.relu()), weight)
        return found[..., : self.classes]

    def layers(self, head: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights (in, out) and biases (out,) of a head, without what fills them up."""
        widths = [len(self._used[head]), *self._hidden, self.classes]
        stacks = zip(self.weights, self.biases, pairwise(widths), strict=True)
        return [
            (
                weight[head, :inputs, :outputs].detach().numpy().copy(),
                bias[head, 0, :outputs].detach().numpy().copy(),
            )
            for weight, bias, (inputs, outputs) in stacks
        ]

    def _first(self, vectors: Tensor) -> Tensor:
        """The first product, (heads, rows, out), in which the copies of a head are side by side."""
        heads, inputs, outputs = self.weights[0].shape
        seeds, rows, copies = heads // self.copies, vectors.shape[1], self.copies
        joined = self.weights[0].view(seeds, copies, inputs, outputs).transpose(1, 2)
        found = vectors @ joined.reshape(seeds, inputs, copies * outputs)
        return found.view(seeds, rows, copies, outputs).transpose(1, 2).reshape(heads, rows, outputs)

    def _drop(self, vectors: Tensor) -> Tensor:
        """Dropout by each head's own chance: the masks do not depend on the company."""
        if not self.training or not self.dropout:
            return vectors
        kept = torch.stack(
            [torch.rand(vectors.shape[1:], generator=chance) >= self.dropout for chance in self.chance]
        )
        return vectors * kept / (1 - self.dropout)


def _mixed(seed: Sequence[int]) -> int:
    """One seed of several integers."""
    return int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0] >> 1)
