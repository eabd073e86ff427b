"""A pack of heads, one per run, trained together on different rows of the same vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from protloc.objective import losses, probabilities
from protloc.probe.adam import AdamW
from protloc.probe.data import RunData
from protloc.probe.heads import HIDDEN, Heads, padded

CHUNK = 256  # rows that are scored at once


@dataclass(frozen=True)
class Trained:
    """A trained head: float32 probabilities (rows, classes) by part, weights, and what was chosen."""

    probabilities: Mapping[str, np.ndarray]
    weights: list[np.ndarray]
    step: int
    weight_decay: float
    loss: float


def train_pack(
    vectors: np.ndarray, runs: Sequence[RunData], policy: str, head: str, settings: Mapping[str, Any]
) -> list[Trained]:
    """The head of each run whose loss on validation is the smallest, of all steps and weight decays.

    `vectors` are float32 (images, dimension). What a run gives depends on no other run of the pack:
    heads have their own seeds, batches and dropout, and a head that got no better for `patience` checks is
    not looked at again, while the others go on.
    """
    decays = sorted(settings["weight_decay"])
    tried = _train(runs, decays, vectors, policy, head, settings)
    of_runs = [tried[start : start + len(decays)] for start in range(0, len(tried), len(decays))]
    return [min(of_run, key=lambda trained: trained.loss) for of_run in of_runs]


def _train(
    runs: Sequence[RunData],
    decays: Sequence[float],
    vectors: np.ndarray,
    policy: str,
    head: str,
    settings: Mapping[str, Any],
) -> list[Trained]:
    """A head for each run and decay, whose rate falls as half a cosine."""
    seeds, classes, steps = [run.seed for run in runs], runs[0].weights.size, settings["steps"]
    model = Heads(vectors.shape[1], HIDDEN[head], classes, settings["dropout"], seeds, len(decays))
    pack, best = _Pack(vectors, runs, policy, len(decays)), _Best(model, settings["patience"])
    of_heads = [*decays] * len(runs)
    shrink = torch.tensor(of_heads, dtype=torch.float32)[:, None, None]
    optimizer = AdamW(list(model.parameters()), list(model.weights), shrink)
    batches = [_batches(len(run.rows["train"]), settings["batch_size"], run.seed) for run in runs]
    for step in range(1, steps + 1):
        model.train()
        pack.loss(model, "train", np.stack([next(of_run) for of_run in batches])).sum().backward()
        optimizer.step(settings["learning_rate"][head] * (1 + math.cos(math.pi * (step - 1) / steps)) / 2)
        if step % settings["check_every"] == 0 or step == steps:
            best.look(pack.whole_loss(model, "validation"), step)
            if best.all_stopped:
                break
    best.restore()
    found = zip(pack.score(model), best.weights(), best.steps, of_heads, best.loss, strict=True)
    return [Trained(*of_run) for of_run in found]


class _Pack:
    """The runs' data as tensors, gathered row by row: memory grows with the batch alone.

    Each run has `copies` heads next to each other, for which its rows are gathered once.
    """

    def __init__(self, vectors: np.ndarray, runs: Sequence[RunData], policy: str, copies: int) -> None:
        self._runs, self._policy, self._copies = runs, policy, copies
        self._vectors = _widened(vectors)
        self._mean, self._scale = (
            _widened(np.stack([getattr(run, name) for run in runs]))[:, None] for name in ("mean", "scale")
        )
        self._weights = self._of_heads([run.weights for run in runs])[:, None]

    def loss(self, model: Heads, part: str, picked: np.ndarray) -> Tensor:
        """The mean loss of each head, (heads,), on picked examples of a part, int (runs, examples)."""
        return self._losses(model, part, picked).mean(dim=1)

    @torch.inference_mode()
    def whole_loss(self, model: Heads, part: str) -> np.ndarray:
        """The mean loss of each head on the whole of a part, float64 (heads,)."""
        model.eval()
        sums = np.zeros(len(self._runs) * self._copies)
        for picked, valid in self._chunks(part):
            of_chunk = self._losses(model, part, picked).double().numpy()
            sums += np.where(np.repeat(valid, self._copies, axis=0), of_chunk, 0).sum(axis=1)
        return sums / np.repeat([len(run.rows[part]) for run in self._runs], self._copies)

    @torch.inference_mode()
    def score(self, model: Heads) -> list[dict[str, np.ndarray]]:
        """The probabilities of each head for its validation and test part."""
        model.eval()
        present = self._of_heads([run.present for run in self._runs])[:, None]
        found: list[dict[str, list]] = [{"validation": [], "test": []} for _ in range(len(present))]
        for part in ("validation", "test"):
            for picked, valid in self._chunks(part):
                scores = probabilities(model(self._inputs(part, picked)), present, self._policy).numpy()
                goods = np.repeat(valid, self._copies, axis=0)
                for of_head, rows, good in zip(found, scores, goods, strict=True):
                    of_head[part].append(rows[good])
        return [{part: np.concatenate(rows) for part, rows in of_head.items()} for of_head in found]

    def _losses(self, model: Heads, part: str, picked: np.ndarray) -> Tensor:
        """The loss of each example, (heads, examples), weighted by its class."""
        logits = model(self._inputs(part, picked))
        wanted = [run.targets[part][of] for run, of in zip(self._runs, picked, strict=True)]
        return losses(logits, self._of_heads(wanted), self._weights, self._policy)

    def _inputs(self, part: str, picked: np.ndarray) -> Tensor:
        """Standardized vectors of picked examples, (runs, examples, padded dimension)."""
        rows = np.stack([run.rows[part][of] for run, of in zip(self._runs, picked, strict=True)])
        return self._vectors[torch.from_numpy(rows)].sub_(self._mean).mul_(self._scale)

    def _of_heads(self, of_runs: Sequence[np.ndarray]) -> Tensor:
        """What runs have, for each of their heads."""
        return torch.from_numpy(np.stack(of_runs)).repeat_interleave(self._copies, dim=0)

    def _chunks(self, part: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (examples, whether they count), (runs, CHUNK): runs whose part is over repeat an example."""
        sizes = np.array([len(run.rows[part]) for run in self._runs])[:, None]
        for start in range(0, int(sizes.max()), CHUNK):
            examples = np.arange(start, start + CHUNK)[None]
            yield np.minimum(examples, sizes - 1), examples < sizes


def _widened(rows: np.ndarray) -> Tensor:
    """Rows filled up with zeros to the padded width."""
    wide = torch.zeros(len(rows), padded(rows.shape[1]))
    wide[:, : rows.shape[1]] = torch.tensor(rows)
    return wide


class _Best:
    """The weights of each head at its smallest loss so far, the loss and the step."""

    def __init__(self, model: Heads, patience: int) -> None:
        self._model, self._patience = model, patience
        self.loss = np.full(len(model.chance), np.inf)
        self._waited, self.steps = np.zeros(len(self.loss), int), np.zeros(len(self.loss), int)
        self._kept = [parameter.detach().clone() for parameter in model.parameters()]

    @property
    def all_stopped(self) -> bool:
        """Whether no head has come closer for as long as patience lasts."""
        return bool((self._waited >= self._patience).all())

    @torch.no_grad()
    def look(self, loss: np.ndarray, step: int) -> None:
        """Keep the heads that are better than ever, of those still looked at."""
        better = (loss < self.loss) & (self._waited < self._patience)
        self._waited = np.where(better, 0, self._waited + 1)
        self.loss, self.steps = np.where(better, loss, self.loss), np.where(better, step, self.steps)
        chosen = torch.from_numpy(better)[:, None, None]
        for kept, parameter in zip(self._kept, self._model.parameters(), strict=True):
            kept.copy_(torch.where(chosen, parameter, kept))

    @torch.no_grad()
    def restore(self) -> None:
        """Put the kept weights into the model."""
        for kept, parameter in zip(self._kept, self._model.parameters(), strict=True):
            parameter.copy_(kept)

    def weights(self) -> list[list[np.ndarray]]:
        """The kept weights of each head."""
        return [[kept[head].numpy().copy() for kept in self._kept] for head in range(len(self.loss))]


def _batches(count: int, size: int, seed: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield batches of `size` of `count` examples for ever: one random order of all after another."""
    rng = np.random.default_rng([*seed, 1])
    waiting = np.empty(0, np.int64)
    while True:
        while len(waiting) < size:
            waiting = np.concatenate([waiting, rng.permutation(count)])
        yield waiting[:size]
        waiting = waiting[size:]
