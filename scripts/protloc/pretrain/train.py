"""The training itself: epochs of steps, a line of the curve after each, and a checkpoint to go on from."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from protloc.config.backbones import Network
from protloc.config.settings import Pretraining
from protloc.pretrain import checkpoints
from protloc.pretrain.crops import views
from protloc.pretrain.objective import assign, disagreement, entropy
from protloc.pretrain.schedule import cooldown_start, moment
from protloc.pretrain.teacher import Encoder, follow, teacher_of
from protloc.progress import progress

ORDER, VIEWS = range(2)  # what a random number is for
Curve = list[dict[str, float]]


class Training:
    """A run in progress: student, teacher, optimizer, the curve so far."""

    def __init__(self, images: Sequence[Tensor], network: Network, settings: Pretraining) -> None:
        self.images, self.settings = images, settings
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.student = Encoder(network, settings).to(self.device)
        self.teacher = teacher_of(self.student)
        self.optimizer = torch.optim.AdamW(_groups(self.student, settings.weight_decay))
        self.curve: Curve = []
        self.epoch_steps = max(1, len(images) // settings.batch_size)
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
            checkpoints.save(folder, self._state(identity))
        return self.curve

    def measured(self) -> dict[str, Any]:
        """What varies from run to run: the rate since this process took up the training, the device."""
        images = len(self._seconds) * self.epoch_steps * self.settings.batch_size
        rate = images / sum(self._seconds) if images else None
        return {"images_per_second": rate and round(rate, 1), "device": str(self.device)}

    def _epoch(self, epoch: int) -> dict[str, float]:
        """Every image once, in a random order; gives the means over the steps."""
        batch_size = self.settings.batch_size
        order = torch.randperm(len(self.images), generator=self._random(ORDER, epoch)).tolist()
        first = (epoch - 1) * self.epoch_steps
        measured, started = [], time.perf_counter()
        for number in progress(range(self.epoch_steps), total=self.epoch_steps, unit="steps"):
            batch = [self.images[row] for row in order[number * batch_size : (number + 1) * batch_size]]
            measured.append(self._step(first + number, batch))
        self._seconds.append(time.perf_counter() - started)
        loss, doubt = (sum(values) / len(values) for values in zip(*measured, strict=True))
        return {"loss": loss, "teacher_entropy": doubt}

    def _step(self, step: int, batch: Sequence[Tensor]) -> tuple[float, float]:
        """One step of the optimizer and of the teacher; gives loss and entropy of the teacher's targets."""
        now, settings = moment(step, self.steps, self.settings), self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = now.learning_rate
        large, small = self._views(step, batch)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            targets = self._targets(large)
            cosines = self.student(large) + (self.student(small) if small else [])
        loss = disagreement(targets, cosines, settings.student_temperature)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), settings.clip_norm)
        self.optimizer.step()
        follow(self.teacher, self.student, now.momentum)
        return loss.item(), entropy(torch.cat(targets)).item()

    @torch.no_grad()
    def _targets(self, large: Sequence[Tensor]) -> list[Tensor]:
        cosines = torch.cat(self.teacher(large))
        return list(assign(cosines, self.settings.teacher_temperature).chunk(len(large)))

    def _views(self, step: int, batch: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The large and the small views of each image; the same for a step, whatever ran before."""
        generator, settings = self._random(VIEWS, step), self.settings
        sizes = [settings.large_px] * settings.large_views + [settings.small_px] * settings.small_views
        made = [views(batch, size, generator, self.device) for size in sizes]
        return made[: settings.large_views], made[settings.large_views :]

    def _random(self, purpose: int, number: int) -> torch.Generator:
        seed = (self.settings.seed * 2 + purpose) * 2**32 + number
        return torch.Generator().manual_seed(seed)

    def _record(self, epoch: int, values: dict[str, float]) -> None:
        self.curve.append({"epoch": epoch, "step": epoch * self.epoch_steps, **values})
        logging.info("%s", ", ".join(f"{name} {value:.4g}" for name, value in self.curve[-1].items()))

    def _state(self, identity: str) -> dict:
        return {
            "identity": identity,
            "epochs": self.settings.epochs,
            "student": self.student.state_dict(),
            "teacher": self.teacher.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curve": self.curve,
        }

    def _restore(self, folder: Path, identity: str) -> None:
        """Take up a checkpoint, unless its learning rate has begun to fall towards another end."""
        state = checkpoints.restore(folder, identity)
        if state is None:
            return
        done = state["curve"][-1]["step"]
        ends = (self.steps, state["epochs"] * self.epoch_steps)
        if ends[0] != ends[1] and done > min(cooldown_start(steps, self.settings) for steps in ends):
            logging.warning("the checkpoint is of a run of %d epochs, ; starting anew", state["epochs"])
            return
        self.student.load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.curve = state["curve"]
        logging.info("going on after epoch %d", self.curve[-1]["epoch"])


def _groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Weights to decay, and biases and scales of norms, which are not pulled to zero."""
    parameters = list(model.parameters())
    decayed = [parameter for parameter in parameters if parameter.ndim > 1]
    others = [parameter for parameter in parameters if parameter.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
