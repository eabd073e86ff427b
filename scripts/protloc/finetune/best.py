"""The best epoch so far, by the validation part alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from protloc.finetune.task import Task
from protloc.heads.choice import better


class Best:
    """What the parameters were after the epoch with the highest macro F1, of equals the smallest loss.

    logits: of the validation part, on the CPU, after that epoch.
    """

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        self._parameters = parameters
        self._kept: dict[str, Tensor] = {}
        self.score = (-1.0, 0.0)
        self.epoch = 0
        self.logits = torch.empty(0)

    def look(self, epoch: int, logits: Tensor, task: Task) -> tuple[float, float]:
        """Keep the parameters if the logits of the validation part are the best so far; gives their score."""
        score = task.score(logits)
        if better(score, self.score):
            self.score, self.epoch, self.logits = score, epoch, logits.clone()
            self._kept = {name: of.detach().clone() for name, of in self._parameters.items()}
        return score

    @torch.no_grad()
    def restore(self) -> None:
        """Put what was kept into the parameters."""
        for name, parameter in self._parameters.items():
            parameter.copy_(self._kept[name])

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        names = ("score", "epoch", "logits", "_kept")
        return {name: getattr(self, name) for name in names}

    def take_up(self, state: Mapping[str, Any]) -> None:
        """Be as a checkpoint says."""
        for name, value in state.items():
            setattr(self, name, tuple(value) if name == "score" else value)
