"""The weights of each head of a stack at its best look so far, and which heads are still looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from protloc.heads.choice import better, validation_f1
from protloc.heads.data import RunData
from protloc.heads.stack import Heads

APART = 20  # looks come further apart as training goes on: by this share of the steps so far


class Best:
    """budgets, patiences: steps of each head, int (heads,): in all, and without a better score.

    Looks come at step 0, every `interval` steps and then ever more rarely, and at the last step of a budget:
    for each head at the same steps in any company.
    """

    def __init__(
        self, model: Heads, runs: Sequence[RunData], budgets: np.ndarray, patiences: np.ndarray, interval: int
    ) -> None:
        self._model, self._runs, self._interval, self._next = model, runs, interval, 0
        self._budgets, self._patiences = budgets, patiences
        self._f1, self._loss = np.full(len(budgets), -1.0), np.full(len(budgets), np.inf)
        self._steps = np.zeros(len(budgets), int)
        self._kept = [parameter.detach().clone() for parameter in model.parameters()]

    def finished(self, step: int) -> bool:
        """Whether no head is to be looked at any more, after `step` steps."""
        return not self._open(step).any()

    def due(self, step: int) -> np.ndarray:
        """Which heads are to be looked at after `step` steps, bool (heads,)."""
        return self._open(step) & ((step == self._next) | (step == self._budgets))

    def look(self, losses: np.ndarray, probabilities: Sequence[np.ndarray], step: int) -> None:
        """Keep the heads that are due and better than ever, by their validation parts."""
        improved = np.zeros(len(self._budgets), bool)
        for head in np.flatnonzero(self.due(step)):
            run = self._runs[head // self._model.copies]
            f1 = validation_f1(
                probabilities[head], run.truth["validation"], run.unscored["validation"], run.policy
            )
            if better((f1, -losses[head]), (self._f1[head], -self._loss[head])):
                improved[head] = True
                self._f1[head], self._loss[head], self._steps[head] = f1, losses[head], step
        self._keep(improved)
        if step == self._next:
            self._next += max(self._interval, step // APART)

    @torch.no_grad()
    def restore(self) -> None:
        """Put the kept weights into the model."""
        for kept, parameter in zip(self._kept, self._model.parameters(), strict=True):
            parameter.copy_(kept)

    def score(self, head: int) -> tuple[float, float]:
        """Macro F1 and loss of a head on validation."""
        return float(self._f1[head]), float(self._loss[head])

    def words(self, head: int, decays: Sequence[float]) -> tuple[str, str | None]:
        """What was chosen for a head, one of those with `decays`, and what to do where it lies at an edge."""
        decay, step = decays[head % len(decays)], self._steps[head]
        chosen, edges = f"step {step}, weight decay {decay:g}", []
        if step in (0, self._budgets[head]):
            last = "the first: nothing was learned" if step == 0 else "the last; raise probe.epochs"
            edges.append(f"step {step} is {last}")
        if len(decays) > 1 and decay in (min(decays), max(decays)):
            edges.append(f"weight decay {decay:g} is at the edge of what was tried; widen probe.weight_decay")
        return chosen, "; ".join(edges) or None

    def _open(self, step: int) -> np.ndarray:
        return (step <= self._budgets) & (step <= self._steps + self._patiences)

    @torch.no_grad()
    def _keep(self, improved: np.ndarray) -> None:
        chosen = torch.from_numpy(improved)[:, None, None]
        for kept, parameter in zip(self._kept, self._model.parameters(), strict=True):
            kept.copy_(torch.where(chosen, parameter, kept))
