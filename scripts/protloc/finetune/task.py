"""What a run has to learn: fields, targets, and how far its answers are from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from protloc.decide import decide
from protloc.macro_f1 import macro_f1
from protloc.objective import losses, probabilities
from protloc.runs import Run, masked, truth
from protloc.targets import balancing, masks, targets
from protloc.thresholds import thresholds

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Task:
    """A run's data on the CPU: places of its fields by part, int64, and float32 targets (fields, classes).

    masked: bool (fields, classes) by part, entries that do not count. weights: what an example of a class
    counts, float32 (classes,). present: bool (classes,), the classes that the training part has.
    """

    run: Run
    places: Mapping[str, np.ndarray]
    targets: Mapping[str, Tensor]
    masked: Mapping[str, Tensor]
    weights: Tensor
    present: Tensor

    def probabilities(self, logits: Tensor) -> np.ndarray:
        """Float32 (fields, classes) of logits of that shape."""
        return probabilities(logits, self.present, self.run.policy).numpy()

    def score(self, logits: Tensor) -> tuple[float, float]:
        """Macro F1 of logits (fields, classes) of the validation part, and minus their mean loss."""
        wanted, ignored = truth(self.run, "validation"), masked(self.run, "validation")
        scores = self.probabilities(logits)
        cuts = thresholds(scores, wanted, ignored) if self.run.policy == "multi" else None
        f1 = macro_f1(wanted, decide(scores, self.run.policy, cuts, ignored))
        loss = losses(logits, self.targets["validation"], self.weights, self.run.policy).double().mean()
        return f1, -loss.item()


def task_of(
    run: Run,
    place: Mapping[str, int],
    proteins: pd.DataFrame,
    balance: bool,
    soft_targets: Mapping[int, float] | None,
) -> Task:
    """The task of a run; `place` gives the place of each field by its id. What is learned is the probe's."""
    soft = soft_targets if run.policy == "multi" else None
    by_image = targets(run.split, run.classes, proteins, soft)
    ignored = masks(run.split, run.classes, soft)
    parts = {part: run.part(part) for part in PARTS}
    places = {
        part: np.array([place[name] for name in of["image_id"]], dtype=np.int64) for part, of in parts.items()
    }
    wanted = {part: np.stack([by_image[image] for image in of["image_id"]]) for part, of in parts.items()}
    out = {part: np.stack([ignored[image] for image in of["image_id"]]) for part, of in parts.items()}
    weights = balancing(wanted["train"]) if balance else np.ones(len(run.classes))
    return Task(
        run,
        places,
        {part: torch.from_numpy(of_part) for part, of_part in wanted.items()},
        {part: torch.from_numpy(of_part) for part, of_part in out.items()},
        torch.from_numpy(weights.astype(np.float32)),
        torch.from_numpy(wanted["train"].any(axis=0)),
    )
