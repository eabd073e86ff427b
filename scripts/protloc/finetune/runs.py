"""All runs of a backbone under a channel strategy, one after another, on fields that are decoded once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
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
from protloc.finetune.task import Task
from protloc.finetune.train import Training
from protloc.hashing import sha256_value
from protloc.heads.data import run_data
from protloc.heads.fit import fit_heads
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
    """What all runs share: good fields below `root`, the frozen network's vectors of them, how they learn.

    head, probe: the kind of head that the probe fits on these vectors, and its settings.
    """

    fields: Sequence[Field]
    root: Path
    names: Sequence[str]
    vectors: np.ndarray
    proteins: pd.DataFrame
    network: Network
    strategy: str
    settings: Finetune
    head: str
    probe: Mapping[str, Any]
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
            self.network.model_dump(
                mode="json", exclude={"title", "weights", "preparation", "request", "licence", "citation"}
            ),
            self.strategy,
            self.settings.model_dump(mode="json", exclude=CHOOSING | ELSEWHERE),
            [self.head, {name: value for name, value in self.probe.items() if name != "pack"}],
            self.machine.device.type,
        ]


class Kept(NamedTuple):
    """Finished runs: the predictions of tuned networks, and of the same at epoch 0."""

    tuned: KeptRuns
    epoch_0: KeptRuns

    def __contains__(self, run: Run) -> bool:
        return all(run.key in of_one for of_one in self)

    def rows(self, runs: Sequence[Run]) -> list[Iterator[pa.Table]]:
        """The rows of each run in turn, of either."""
        return [map(of_one.__getitem__, [run.key for run in runs]) for of_one in self]


def finetune(
    job: Job, runs: Sequence[Run], kept: Kept, checkpoint: Path
) -> tuple[list[Iterator[pa.Table]], dict]:
    """The `predictions` rows of each run in turn, tuned and at epoch 0, and what was measured: rate, device.

    Runs that are `kept` are not trained again; each is kept when it is finished, and the one in progress goes
    on from its last epoch in `checkpoint`. Raises InputError for fields, vectors or settings that do not fit.
    """
    check_vectors(job.names, job.vectors, runs)
    if list(job.names) != [field.fov_id for field in job.fields]:
        raise InputError("embedding: not the fields of fovs.parquet; run again with --forcerun embed_network")
    place = pd.Index(job.names)
    fields = Fields(job.fields, job.root, job.network)
    fields.crop_side(job.settings.px)
    new = [run for run in runs if run not in kept]
    logging.info("%d runs: %d kept from before, %d to train", len(runs), len(runs) - len(new), len(new))
    used = {int(row) for run in new for row in place.get_indexer(run.used["image_id"])}
    fields.keep(used, job.settings.memory_mb, job.machine.threads)
    images, seconds = 0, 0.0
    for number, run in enumerate(new, start=1):
        logging.info("run %d of %d: %s", number, len(new), run.name)
        identity = sha256_value([kept.tuned.identity, run.key])
        training, *rows = _train(job, run, fields, place, checkpoint, identity)
        images += len(training.seconds) * training.steps * job.settings.batch_size
        seconds += sum(training.seconds)
        for of_one, of_run in zip(kept, rows, strict=True):
            of_one.add(run.key, of_run)
        remove(checkpoint)
    rate = round(images / seconds, 1) if images else None
    return kept.rows(runs), {"images_per_second": rate, "device": str(job.machine.device)}


def _train(
    job: Job, run: Run, fields: Fields, place: pd.Index, checkpoint: Path, identity: str
) -> tuple[Training, pd.DataFrame, pd.DataFrame]:
    """A finished training and its `predictions` rows, tuned and at epoch 0."""
    report_absent(run)
    training = training_of(job, run, fields, place)
    scores = training.run(checkpoint, identity)
    tuned = prediction_rows(run, scores, f"epoch {training.best.epoch} of {training.epoch}")
    return training, tuned, prediction_rows(run, training.epoch_0, "epoch 0")


def training_of(job: Job, run: Run, fields: Fields, place: pd.Index) -> Training:
    """A training that has not begun: the frozen network under the probe's head."""
    data = run_data(run, place, job.vectors, job.proteins, job.probe)
    (fitted,) = fit_heads(job.vectors, [data], job.head, job.probe)
    logging.info("head: %s, %s, macro F1 on validation %.3f", job.head, fitted.chosen, fitted.f1)
    if fitted.edge:
        logging.warning("%s: %s", run.name, fitted.edge)
    head = Head(data.scores, fitted.layers)
    model = Classifier(job.base, job.network, job.strategy, head, job.settings, run.seed)
    return Training(Task(data), model, fields, job.settings, job.machine)
