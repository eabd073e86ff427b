"""One run: epochs over crops, a look at the validation part after each, and a checkpoint to go on from."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from protloc import checkpoints
from protloc.config.settings import Finetune
from protloc.finetune.answers import answer
from protloc.finetune.augment import crop
from protloc.finetune.best import Best
from protloc.finetune.draws import order, sample_rng, steps_of
from protloc.finetune.drop_path import draw_factors
from protloc.finetune.fields import Fields
from protloc.finetune.gradients import Block, accumulate
from protloc.finetune.machine import Machine
from protloc.finetune.network import Classifier
from protloc.finetune.optimizer import factor, optimizer_of
from protloc.finetune.task import Task
from protloc.parallel import in_order
from protloc.progress import progress


class Training:
    """A run in progress. losses, seconds: of its epochs in this process, without validation.

    first: what the network said before any epoch, logits on the CPU by part. warm: epochs in which the rates
    have not yet risen.
    """

    def __init__(
        self, task: Task, model: Classifier, fields: Fields, settings: Finetune, machine: Machine
    ) -> None:
        self.task, self.fields, self.settings, self.machine = task, fields, settings, machine
        self.model, self.px = model, fields.crop_side(settings.px)
        named = {name: of for name, of in model.named_parameters() if of.requires_grad}
        self.parameters, self.best = named, Best(named)
        self.steps = steps_of(len(task.data.rows["train"]), settings.batch_size, settings.min_steps)
        (self.seed,) = task.data.seed
        self.epoch, self.warm = 0, math.ceil(settings.warmup_share * settings.epochs)
        self.first: dict[str, Tensor] = {}
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def run(self, checkpoint: Path, identity: str) -> dict[str, np.ndarray]:
        """Train to the end; gives the probabilities (fields, classes) of validation and test.

        It goes on from `checkpoint` if that is of the run `identity`, else from the frozen network and the
        head that was fitted on its vectors.
        """
        state = checkpoints.restore(checkpoint, identity)
        self.model.to(self.machine.device)
        self.optimizer = optimizer_of(self.model.passes, self.model.head, self.settings)
        if state is None:
            self._begin()
        else:
            self._take_up(state)
        while self.epoch < self.settings.epochs and self._waited < self.settings.patience:
            self.epoch += 1
            self._epoch()
            self._log(self.losses[-1], self.best.look(self.epoch, self._answer("validation"), self.task))
            checkpoints.save(checkpoint, identity, self._state())
        self.best.restore()
        said = self._answer("test") if self.best.epoch else self.first["test"]
        return self._probabilities({"validation": self.best.logits, "test": said})

    @property
    def epoch_0(self) -> dict[str, np.ndarray]:
        """The probabilities of validation and test before any epoch: the frozen network's."""
        return self._probabilities(self.first)

    @property
    def _waited(self) -> int:
        """Epochs at full rates without a better one."""
        return self.epoch - max(self.best.epoch, self.warm)

    def _begin(self) -> None:
        self.first = {part: self._answer(part) for part in ("validation", "test")}
        self._log(float("nan"), self.best.look(0, self.first["validation"], self.task))

    def _probabilities(self, logits: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        return {part: self.task.probabilities(of_part) for part, of_part in logits.items()}

    def _epoch(self) -> None:
        """Show every training field once or more."""
        size, started = self.settings.batch_size, time.perf_counter()
        blocks, total = self._blocks(), torch.zeros((), device=self.machine.device)
        for step in progress(range(self.steps), total=self.steps * size, unit="images", each=size):
            share = factor(
                (self.epoch - 1) * self.steps + step,
                self.settings.epochs * self.steps,
                self.settings.warmup_share,
            )
            for group in self.optimizer.param_groups:
                group["lr"] = group["full_rate"] * share
            batch = islice(blocks, -(-size // self.machine.block))
            parameters = list(self.parameters.values())
            total += accumulate(self.model, parameters, batch, size, self.task, self.machine)
            self.optimizer.step()
        self.losses.append(total.item() / self.steps)
        self.seconds.append(time.perf_counter() - started)

    def _blocks(self) -> Iterator[Block]:
        """Yield the epoch's batches in blocks, prepared by threads."""
        size = self.settings.batch_size
        rows = order(self.seed, self.epoch, len(self.task.data.rows["train"]), self.steps * size)
        places = [
            np.arange(first, min(first + self.machine.block, start + size))
            for start in range(0, len(rows), size)
            for first in range(start, start + size, self.machine.block)
        ]
        threads = self.machine.threads
        made = in_order(lambda of: self._block(of, rows[of]), places, workers=threads, ahead=2 * threads)
        yield from (block for _, block in made)

    def _block(self, places: np.ndarray, rows: np.ndarray) -> Block:
        """The crops of training fields that come at `places` of the epoch."""
        images, factors = [], []
        for place, row in zip(places, rows, strict=True):
            rng = sample_rng(self.seed, self.epoch, int(place))
            image = self.fields[self.task.data.rows["train"][row]]
            images.append(crop(image, self.px, self.settings.augment, rng))
            factors.append(draw_factors(self.model.rates, rng))
        dropped = torch.stack(factors) if len(self.model.rates) else None
        wanted, masked = self.task.targets["train"][rows], self.task.masked["train"][rows]
        return Block(self.machine.pinned(torch.stack(images)), wanted, masked, dropped)

    def _answer(self, part: str) -> Tensor:
        return answer(self.model, self.fields, self.task.data.rows[part], self.machine)

    def _log(self, loss: float, score: tuple[float, float]) -> None:
        words = "epoch %d: loss %.3f; on validation %.3f, macro F1 %.3f"
        logging.info(words, self.epoch, loss, -score[1], score[0])

    def _state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "parameters": dict(self.parameters),
            "moments": self.optimizer.state_dict(),
            "best": self.best.state(),
            "first": self.first,
        }

    @torch.no_grad()
    def _take_up(self, state: dict[str, Any]) -> None:
        """Be as a checkpoint says."""
        for name, parameter in self.parameters.items():
            parameter.copy_(state["parameters"][name])
        self.optimizer.load_state_dict(state["moments"])
        self.best.take_up(state["best"])
        self.epoch, self.first = state["epoch"], state["first"]
        logging.info("going on after epoch %d", self.epoch)
