"""A pack of heads trained by AdamW, one per run and weight decay, on different rows of the same vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from protloc.heads.adam import AdamW
from protloc.heads.best import Best
from protloc.heads.choice import better
from protloc.heads.data import RunData
from protloc.heads.fitted import Fitted
from protloc.heads.stack import HIDDEN, Heads, padded
from protloc.objective import losses, probabilities
from protloc.standard_scores import BOUND

CHUNK = 256  # rows that are scored at once
RECENT = 8  # the average counts steps by the power of RECENT of their number: about the last ninth


def fit_pack(
    vectors: np.ndarray, runs: Sequence[RunData], head: str, settings: Mapping[str, Any]
) -> list[Fitted]:
    """The head of each run whose macro F1 on validation is the highest, of all steps and weight decays.

    Of equals the one with the smaller loss, then the larger decay, then the earlier step. `vectors` are
    float32 (images, dimension). What a run gives depends on no other run of the pack: heads have their own
    seeds, batches, dropout and budgets, and one that is finished is not looked at again while others go on.
    """
    decays = sorted(settings["weight_decay"], reverse=True)
    tried = _train(runs, decays, vectors, head, settings)
    of_runs = (tried[start : start + len(decays)] for start in range(0, len(tried), len(decays)))
    return [_chosen(of_run) for of_run in of_runs]


def steps_of(images: int, settings: Mapping[str, Any]) -> int:
    """Steps of a pass over a training part; a small one is passed repeatedly."""
    return max(-(-images // settings["batch_size"]), settings["min_steps"])


def _chosen(of_decays: Sequence[Fitted]) -> Fitted:
    chosen = of_decays[0]
    for fitted in of_decays[1:]:
        if better((fitted.f1, -fitted.loss), (chosen.f1, -chosen.loss)):
            chosen = fitted
    return chosen


def _train(
    runs: Sequence[RunData],
    decays: Sequence[float],
    vectors: np.ndarray,
    head: str,
    settings: Mapping[str, Any],
) -> list[Fitted]:
    """A head for each run and decay.

    The rate is constant, and what is looked at is the average of recent weights (Shamir & Zhang 2013): no
    schedule decides how far a head gets.
    """
    used = [run.scores.scale != 0 for run in runs]
    shape = (vectors.shape[1], HIDDEN[head], runs[0].weights.size, settings["dropout"])
    model, average = (Heads(*shape, [run.seed for run in runs], used, len(decays)) for _ in range(2))
    average.eval()
    pack = _Pack(vectors, runs, len(decays))
    passes = np.array([steps_of(len(run.rows["train"]), settings) for run in runs]).repeat(len(decays))
    best = Best(
        average, runs, passes * settings["epochs"], passes * settings["patience"], settings["min_steps"]
    )
    of_heads = torch.tensor([*decays] * len(runs), dtype=torch.float32)[:, None, None]
    optimizer = AdamW(list(model.parameters()), list(model.weights), of_heads)
    batches = [_batches(len(run.rows["train"]), settings["batch_size"], run.seed) for run in runs]
    step = 0
    while not best.finished(step):
        if best.due(step).any():
            best.look(*pack.score(average), step)
        step += 1
        pack.loss(model, np.stack([next(of_run) for of_run in batches])).sum().backward()
        optimizer.step(settings["learning_rate"][head])
        _follow(average, model, step)
    best.restore()
    return [
        Fitted(said, average.layers(place), *best.score(place), *best.words(place, decays))
        for place, said in enumerate(pack.probabilities(average))
    ]


@torch.no_grad()
def _follow(average: Heads, model: Heads, step: int) -> None:
    for mean, last in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(last, (RECENT + 1) / (RECENT + step))


class _Pack:
    """The runs' data as tensors, gathered row by row: memory grows with the batch alone.

    Each run has `copies` heads next to each other, for which its rows are gathered once.
    """

    def __init__(self, vectors: np.ndarray, runs: Sequence[RunData], copies: int) -> None:
        self._runs, self._policy, self._copies = runs, runs[0].policy, copies
        self._vectors = _widened(vectors)
        self._mean, self._scale = (
            _widened(np.stack([getattr(run.scores, name) for run in runs]))[:, None]
            for name in ("mean", "scale")
        )
        self._weights = self._of_heads([run.weights for run in runs])[:, None]
        self._present = self._of_heads([run.present for run in runs])[:, None]

    def loss(self, model: Heads, picked: np.ndarray) -> Tensor:
        """The mean loss of each head, (heads,), on picked training examples, int (runs, examples)."""
        return self._losses(model(self._inputs("train", picked)), "train", picked).mean(dim=1)

    @torch.inference_mode()
    def score(self, model: Heads) -> tuple[np.ndarray, list[np.ndarray]]:
        """The mean loss, float64 (heads,), and probabilities (rows, classes) of each head on validation."""
        sums = np.zeros(len(self._runs) * self._copies)
        found: list[list[np.ndarray]] = [[] for _ in sums]
        for picked, valid in self._chunks("validation"):
            logits, goods = model(self._inputs("validation", picked)), np.repeat(valid, self._copies, axis=0)
            of_chunk = self._losses(logits, "validation", picked).double().numpy()
            sums += np.where(goods, of_chunk, 0).sum(axis=1)
            self._gather(found, logits, goods)
        sizes = np.repeat([len(run.rows["validation"]) for run in self._runs], self._copies)
        return sums / sizes, [np.concatenate(of_head) for of_head in found]

    @torch.inference_mode()
    def probabilities(self, model: Heads) -> list[dict[str, np.ndarray]]:
        """The probabilities of each head for its validation and test part."""
        whole: list[dict[str, np.ndarray]] = [{} for _ in range(len(self._present))]
        for part in ("validation", "test"):
            found: list[list[np.ndarray]] = [[] for _ in whole]
            for picked, valid in self._chunks(part):
                logits = model(self._inputs(part, picked))
                self._gather(found, logits, np.repeat(valid, self._copies, axis=0))
            for of_head, rows in zip(whole, found, strict=True):
                of_head[part] = np.concatenate(rows)
        return whole

    def _gather(self, found: list[list[np.ndarray]], logits: Tensor, goods: np.ndarray) -> None:
        """Add the probabilities of the rows that count to those of each head."""
        said = probabilities(logits, self._present, self._policy).numpy()
        for of_head, rows, good in zip(found, said, goods, strict=True):
            of_head.append(rows[good])

    def _losses(self, logits: Tensor, part: str, picked: np.ndarray) -> Tensor:
        """The loss of each example, (heads, examples), weighted by its class."""
        wanted, masked = (
            self._of_heads([getattr(run, name)[part][of] for run, of in zip(self._runs, picked, strict=True)])
            for name in ("targets", "masked")
        )
        return losses(logits, wanted, self._weights, self._policy, masked if masked.any() else None)

    def _inputs(self, part: str, picked: np.ndarray) -> Tensor:
        """Standard scores of picked examples, (runs, examples, padded dimension)."""
        rows = np.stack([run.rows[part][of] for run, of in zip(self._runs, picked, strict=True)])
        scores = self._vectors[torch.from_numpy(rows)].sub_(self._mean).mul_(self._scale)
        return scores.clamp_(-BOUND, BOUND)

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


def _batches(count: int, size: int, seed: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield batches of `size` of `count` examples for ever: one random order of all after another."""
    rng = np.random.default_rng([*seed, 1])
    waiting = np.empty(0, np.int64)
    while True:
        while len(waiting) < size:
            waiting = np.concatenate([waiting, rng.permutation(count)])
        yield waiting[:size]
        waiting = waiting[size:]
