"""All runs of a backbone under a channel strategy, one after another, on fields that are decoded once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import nn

from protloc.atomic import remove
from protloc.config.backbones import Network
from protloc.config.settings import Finetune
from protloc.errors import InputError
from protloc.fields import Field
from protloc.finetune.fields import Fields
from protloc.finetune.head import Head
from protloc.finetune.machine import Machine
from protloc.finetune.network import Classifier
from protloc.finetune.task import task_of
from protloc.finetune.train import Training
from protloc.hashing import sha256_value
from protloc.kept import KeptRuns
from protloc.models.weights import build, digest
from protloc.runs import Run, check_vectors, prediction_rows, report_absent

CHOOSING = {
    "backbones",
    "strategies",
    "units",
    "policies",
    "fractions",
    "shots",
    "seeds",
}  # which runs there are
ELSEWHERE = {"memory_mb", "gpus"}  # what changes no result


@dataclass(frozen=True)
class Job:
    """What all runs share: good fields below `root`, the frozen network's vectors of them, how they learn."""

    fields: Sequence[Field]
    root: Path
    names: Sequence[str]
    vectors: np.ndarray
    proteins: pd.DataFrame
    network: Network
    strategy: str
    settings: Finetune
    balance: bool
    soft_targets: Mapping[int, float] | None
    machine: Machine

    @cached_property
    def base(self) -> nn.Module:
        """The network as it is before any run."""
        return build(self.network)

    @property
    def identity(self) -> list[Any]:
        """What runs depend on beside their own split, the images, the labels and the code."""
        return [
            digest(self.base),
            self.network.model_dump(mode="json", exclude={"title", "weights", "licence", "citation"}),
            self.strategy,
            self.settings.model_dump(mode="json", exclude=CHOOSING | ELSEWHERE),
            [self.balance, sorted((self.soft_targets or {}).items())],
            self.machine.device.type,
        ]


def finetune(
    job: Job, runs: Sequence[Run], kept: KeptRuns, checkpoint: Path
) -> tuple[Iterator[pa.Table], dict]:
    """The `predictions` rows of each run in turn, and what was measured: rate and device.

    Runs that are `kept` are not trained again; each is kept when it is finished, and the one in progress goes
    on from its last epoch in `checkpoint`. Raises InputError for fields, vectors or settings that do not fit.
    """
    check_vectors(job.names, job.vectors, runs)
    if list(job.names) != [field.fov_id for field in job.fields]:
        raise InputError("embedding: not the fields of fovs.parquet; run again with --forcerun embed_network")
    place = {name: row for row, name in enumerate(job.names)}
    fields = Fields(job.fields, job.root, job.network)
    fields.crop_side(job.settings.px)
    new = [run for run in runs if run.key not in kept]
    logging.info("%d runs: %d kept from before, %d to train", len(runs), len(runs) - len(new), len(new))
    used = {place[name] for run in new for name in run.used["image_id"]}
    fields.keep(used, job.settings.memory_mb, job.machine.threads)
    images, seconds = 0, 0.0
    for number, run in enumerate(new, start=1):
        logging.info("run %d of %d: %s", number, len(new), run.name)
        training, rows = _train(job, run, fields, place, checkpoint, sha256_value([kept.identity, run.key]))
        images += len(training.seconds) * training.steps * job.settings.batch_size
        seconds += sum(training.seconds)
        kept.add(run.key, rows)
        remove(checkpoint)
    rate = round(images / seconds, 1) if images else None
    return (kept[run.key] for run in runs), {"images_per_second": rate, "device": str(job.machine.device)}


def _train(
    job: Job, run: Run, fields: Fields, place: Mapping[str, int], checkpoint: Path, identity: str
) -> tuple[Training, pd.DataFrame]:
    """A finished training and its `predictions` rows."""
    report_absent(run)
    task = task_of(run, place, job.proteins, job.balance, job.soft_targets)
    vectors = torch.from_numpy(np.require(job.vectors, requirements="W"))
    head = Head(vectors[task.places["train"]], len(run.classes))
    model = Classifier(job.base, job.network, job.strategy, head, job.settings, run.seed)
    training = Training(task, model, fields, job.settings, job.machine)
    scores = training.run(vectors, checkpoint, identity)
    return training, prediction_rows(run, scores, f"epoch {training.best.epoch} of {training.epoch}")
