"""What a run has to learn: fields, targets, and how far its answers are from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from protloc.heads.choice import validation_f1
from protloc.heads.data import RunData
from protloc.objective import losses, probabilities


@dataclass(frozen=True)
class Task:
    """A run's data, which are the probe's, as tensors on the CPU: rows are places of fields."""

    data: RunData

    @cached_property
    def targets(self) -> Mapping[str, Tensor]:
        """Float32 (fields, classes) by part."""
        return {part: torch.from_numpy(of_part) for part, of_part in self.data.targets.items()}

    @cached_property
    def masked(self) -> Mapping[str, Tensor]:
        """Classes that are neither right nor wrong, bool (fields, classes) by part."""
        return {part: torch.from_numpy(of_part) for part, of_part in self.data.masked.items()}

    @cached_property
    def weights(self) -> Tensor:
        """What an example of a class counts, float32 (classes,)."""
        return torch.from_numpy(self.data.weights)

    def probabilities(self, logits: Tensor) -> np.ndarray:
        """Float32 (fields, classes) of logits of that shape."""
        return probabilities(logits, torch.from_numpy(self.data.present), self.data.policy).numpy()

    def loss(self, logits: Tensor, targets: Tensor, masked: Tensor) -> Tensor:
        """The loss of each field, on the device of its logits."""
        targets, masked, weights = (of.to(logits.device) for of in (targets, masked, self.weights))
        return losses(logits, targets, weights, self.data.policy, masked)

    def score(self, logits: Tensor) -> tuple[float, float]:
        """Macro F1 of logits (fields, classes) of the validation part, and minus their mean loss."""
        part, policy = "validation", self.data.policy
        wanted, unscored = self.data.truth[part], self.data.unscored[part]
        f1 = validation_f1(self.probabilities(logits), wanted, unscored, policy)
        return f1, -self.loss(logits, self.targets[part], self.masked[part]).double().mean().item()
