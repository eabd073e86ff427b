"""The training itself: epochs of steps, a line of the curve after each, and a checkpoint to go on from."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from protloc import checkpoints
from protloc.config.backbones import Network
from protloc.config.settings import Pretraining
from protloc.pretrain.draws import multi_crop, order
from protloc.pretrain.objective import assign, disagreement, entropy
from protloc.pretrain.optimizer import descend, optimizer_of
from protloc.pretrain.schedule import moment, same_start
from protloc.pretrain.teacher import Encoder, follow, teacher_of
from protloc.progress import progress

Curve = list[dict[str, float]]
CHECKPOINT = "latest.safetensors"


class Training:
    """A run in progress: student, teacher, optimizer, the curve so far."""

    def __init__(self, images: Sequence[Tensor], network: Network, settings: Pretraining) -> None:
        self.images, self.settings = images, settings
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.student = Encoder(network, settings).to(self.device)
        self.teacher = teacher_of(self.student)
        self.optimizer = optimizer_of(self.student)
        self.curve: Curve = []
        self.epoch_steps = settings.epoch_steps(len(images))
        self.steps = settings.epochs * self.epoch_steps
        self._seconds: list[float] = []

    def run(self, folder: Path, identity: str, measure: Callable[[Encoder], dict[str, float]]) -> Curve:
        """Train to the end from the newest checkpoint in `folder`; gives the curve.

        `measure` gives further columns for each epoch from the teacher.
        """
        self._restore(folder, identity)
        if not self.curve:
            nothing = {"loss": float("nan"), "teacher_entropy": float("nan")}
            self._record(0, nothing | measure(self.teacher))
        for epoch in range(len(self.curve), self.settings.epochs + 1):
            self._record(epoch, self._epoch(epoch) | measure(self.teacher))
            checkpoints.save(folder / CHECKPOINT, identity, self._state())
        return self.curve

    def measured(self) -> dict[str, Any]:
        """What varies from run to run: the rate since this process took up the training, the device."""
        images = len(self._seconds) * self.epoch_steps * self.settings.batch_size
        rate = images / sum(self._seconds) if images else None
        return {"images_per_second": rate and round(rate, 1), "device": str(self.device)}

    def _epoch(self, epoch: int) -> dict[str, float]:
        """The images in a random order; gives the means over the steps."""
        batch_size = self.settings.batch_size
        self.student.head.prototypes.requires_grad_(epoch > self.settings.frozen_epochs)
        rows = order(epoch, len(self.images), self.settings)
        first = (epoch - 1) * self.epoch_steps
        measured, started = [], time.perf_counter()
        for number in progress(range(self.epoch_steps), total=self.epoch_steps, unit="steps"):
            batch = [self.images[row] for row in rows[number * batch_size : (number + 1) * batch_size]]
            measured.append(self._step(first + number, batch))
        self._seconds.append(time.perf_counter() - started)
        loss, doubt = (sum(values) / len(values) for values in zip(*measured, strict=True))
        return {"loss": loss, "teacher_entropy": doubt}

    def _step(self, step: int, batch: Sequence[Tensor]) -> tuple[float, float]:
        """One step of the optimizer and of the teacher; gives loss and entropy of the teacher's targets."""
        now, settings = moment(step, self.steps, self.settings), self.settings
        large, small = multi_crop(step, batch, settings, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            targets = self._targets(large)
            cosines = self.student(large) + (self.student(small) if small else [])
        loss = disagreement(targets, cosines, settings.student_temperature)
        descend(self.student, self.optimizer, loss, now, settings.clip_norm)
        follow(self.teacher, self.student, now.momentum)
        return loss.item(), entropy(torch.cat(targets)).item()

    @torch.no_grad()
    def _targets(self, large: Sequence[Tensor]) -> list[Tensor]:
        cosines = torch.cat(self.teacher(large))
        return list(assign(cosines, self.settings.teacher_temperature).chunk(len(large)))

    def _record(self, epoch: int, values: dict[str, float]) -> None:
        self.curve.append({"epoch": epoch, "step": epoch * self.epoch_steps, **values})
        logging.info("%s", ", ".join(f"{name} {value:.4g}" for name, value in self.curve[-1].items()))

    def _state(self) -> dict:
        return {
            "epochs": self.settings.epochs,
            "student": self.student.state_dict(),
            "teacher": self.teacher.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curve": self.curve,
        }

    def _restore(self, folder: Path, identity: str) -> None:
        """Take up a checkpoint, unless it is on its way to another end."""
        state = checkpoints.restore(folder / CHECKPOINT, identity)
        if state is None:
            return
        done, steps = state["curve"][-1]["step"], state["epochs"] * self.epoch_steps
        if steps != self.steps and not same_start(done, steps, self.steps, self.settings):
            logging.warning(
                "the checkpoint is of a run of %d epochs, in which rates change otherwise; starting again",
                state["epochs"],
            )
            return
        self.student.load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.curve = state["curve"]
        logging.info("going on after epoch %d", self.curve[-1]["epoch"])
