"""Fine-tuning beside the bare training step, and what it is worth beside the frozen probe.

Without arguments: images a second of a run's epochs, from fields in memory to the optimizer, beside forward,
backward and AdamW on one batch in memory, in one process and on one core. With --accuracy: macro F1 on
simulated proteins that no training has seen, of the probe and of fine-tuning on the same splits.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd

REGISTRY = Path(__file__).resolve().parents[2] / "config/backbones.yaml"
CASES = {"dino_demo": 64, "vit_untrained": 128, "efficientnet_lite0_untrained": 128}  # px
STEPS, TURNS = 6, 3  # both ways in turn, since other work on the machine disturbs
SEEDS, FRACTIONS = [0, 1, 2], [0.25, 1.0]
TINY = {"px": 64, "epochs": 8, "min_steps": 8, "learning_rate": 2e-3}  # for a network of 0.8 million weights


class Small(NamedTuple):
    """A simulated study below `folder`: its tables."""

    folder: Path
    fovs: pd.DataFrame
    proteins: pd.DataFrame


def simulated(folder: Path, proteins_per_class: int, fields: int, size: int) -> Small:
    """17 classes; found again in `folder` if it was made before."""
    from protloc.acquire.fields import acquire_fields
    from protloc.acquire.labels import match, read_labels
    from protloc.acquire.store import list_images, open_store
    from protloc.opencell import ANNOTATIONS, CLASSES
    from protloc.simulate.study import simulate_study

    mirror = folder / "mirror"
    if not mirror.exists():
        simulate_study(
            mirror,
            proteins_per_class=proteins_per_class,
            fields_per_protein=fields,
            field_size=size,
            seed=11,
            workers=1,
        )
    store = open_store(str(mirror), "us-west-2", None)
    fovs = acquire_fields(store, list_images(store, "mirror"), folder / "raw", 0.206349)
    proteins, fovs = match(read_labels(mirror / ANNOTATIONS, CLASSES), fovs)
    return Small(folder, fovs, proteins)


def job_on(small: Small, backbone: str, **changed):
    """A fine-tuning of a backbone of the registry, on one thread; embeds the fields first."""
    from protloc.config.load import load_backbones
    from protloc.config.settings import Finetune
    from protloc.embed.images import field_images
    from protloc.embed.network import embed_network
    from protloc.fields import good_fields
    from protloc.finetune.machine import this_machine
    from protloc.finetune.runs import Job
    from protloc.vectors import read_vectors

    network = load_backbones(REGISTRY)[backbone]
    path = small.folder / f"{backbone}.parquet"
    images = field_images(small.fovs, small.folder / "raw")
    embed_network(images, network.model_dump(), {"replicate_fill": path}, batch_size=32, threads=1)
    settings = Finetune(**changed)
    machine = this_machine(settings.micro_batch, 1)
    return Job(
        good_fields(small.fovs), small.folder / "raw", *read_vectors(path), small.proteins, network,
        "replicate_fill", settings, False, None, machine,
    )  # fmt: skip


def runs_on(small: Small, fractions: list[float], seeds: list[int]) -> list:
    """The runs on splits by protein."""
    from protloc.policies import labels_by_gene
    from protloc.runs import plan
    from protloc.splits.table import make_split

    labels = labels_by_gene(small.proteins, "single", 3, 4)
    shares = {"test_share": 0.25, "validation_share": 0.15, "fractions": fractions}
    split = make_split(small.fovs, labels, unit="protein", seeds=seeds, **shares)
    return plan({("protein", "single"): split}, fractions)


def speed(folder: Path) -> None:
    """Print a Markdown table of images a second of processor time: the best of some turns each."""
    print("| network | px | fine-tuning | bare step | share |\n| --- | ---: | ---: | ---: | ---: |")
    small = simulated(folder, proteins_per_class=8, fields=1, size=320)
    for backbone, px in CASES.items():
        training = training_on(small, backbone, px)
        rates = [[rate(training, way) for way in (ours, bare)] for _ in range(TURNS)]
        mine, rival = map(max, zip(*rates, strict=True))
        print(f"| {backbone} | {px} | {mine:.1f} | {rival:.1f} | {mine / rival:.0%} |", flush=True)


def training_on(small: Small, backbone: str, px: int):
    """A run at its first epoch, fields in memory."""
    import torch
    from protloc.finetune.fields import Fields
    from protloc.finetune.head import Head
    from protloc.finetune.network import Classifier
    from protloc.finetune.optimizer import optimizer_of
    from protloc.finetune.task import task_of
    from protloc.finetune.train import Training

    job, (run,) = job_on(small, backbone, px=px, min_steps=STEPS), runs_on(small, [1.0], [0])
    place = {name: row for row, name in enumerate(job.names)}
    task = task_of(run, place, job.proteins, job.balance, job.soft_targets)
    head = Head(torch.from_numpy(job.vectors.copy()), len(run.classes))
    model = Classifier(job.base, job.network, job.strategy, head, job.settings, run.seed)
    fields = Fields(job.fields, job.root, job.network)
    fields.keep(range(len(job.fields)), job.settings.memory_mb, 1)
    training = Training(task, model, fields, job.settings, job.machine)
    training.optimizer, training.epoch = optimizer_of(model.passes, model.head, job.settings), 1
    return training


def rate(training, way) -> float:
    """Images a second of processor time."""
    started = time.process_time()
    way(training)
    return STEPS * training.settings.batch_size / (time.process_time() - started)


def ours(training) -> None:
    """An epoch as it is trained: crops, blocks, sums, optimizer."""
    training._epoch()


def bare(training) -> None:
    """As many steps of the same network on one batch in memory, all of it at once."""
    import torch
    from torch.nn.functional import cross_entropy

    model, size = training.model, training.settings.batch_size
    images = torch.rand(size, 2, training.px, training.px)
    labels = torch.arange(size) % len(training.task.present)
    optimizer = torch.optim.AdamW(training.parameters.values(), 1e-5, fused=True)
    for _ in range(STEPS):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()


def accuracy(folder: Path, **changed) -> None:
    """Print a Markdown table of macro F1: mean over seeds, and each seed."""
    from protloc.config.settings import Probe
    from protloc.finetune.runs import finetune
    from protloc.kept import KeptRuns
    from protloc.probe.runs import probe

    small = simulated(folder, proteins_per_class=12, fields=2, size=160)
    job, runs = job_on(small, "dino_demo", **changed), runs_on(small, FRACTIONS, SEEDS)
    frozen = KeptRuns("predictions", folder / "probe.parquet", [time.time()])
    tuned = KeptRuns("predictions", folder / "finetune.parquet", [time.time()])
    probing = Probe().model_dump(exclude={"heads"})
    started = time.process_time()
    found = {"probe": probe(job.names, job.vectors, runs, frozen, small.proteins, "linear", probing)}
    between = time.process_time()
    found["fine-tuning"], measured = finetune(job, runs, tuned, folder / ".checkpoint.safetensors")
    print("| | fraction | mean macro F1 | seeds |\n| --- | ---: | ---: | --- |")
    for name, rows in found.items():
        for fraction, of_fraction in rows.groupby("fraction"):
            values = [macro_f1(of_seed) for _, of_seed in of_fraction.groupby("seed")]
            each = ", ".join(f"{value:.3f}" for value in values)
            print(f"| {name} | {fraction:g} | {sum(values) / len(values):.3f} | {each} |")
    seconds = f"{between - started:.0f} s and {time.process_time() - between:.0f} s of processor time"
    print(f"\n{seconds}; {measured['images_per_second']} images/s")


def macro_f1(rows: pd.DataFrame) -> float:
    """Macro F1 of one run's predictions."""
    from sklearn.metrics import f1_score

    truth, predicted = (rows[name].map(lambda labels: labels[0]) for name in ("truth", "predicted"))
    return f1_score(truth, predicted, average="macro", zero_division=0)


if __name__ == "__main__":
    from protloc.threads import one_thread

    one_thread()
    with tempfile.TemporaryDirectory() as folder:
        accuracy(Path(folder), **TINY) if "--accuracy" in sys.argv else speed(Path(folder))
