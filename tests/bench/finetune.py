"""Fine-tuning beside the bare training step, and what it is worth beside the frozen probe.

Without arguments: images a second of a run's epochs, from fields in memory to the optimizer, beside forward,
backward and AdamW on one batch in memory, in one process and on one core. With --accuracy: macro F1 on
simulated proteins that no training has seen, of networks at epoch 0 (the frozen probe) and fine-tuned.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

REGISTRY = Path(__file__).resolve().parents[2] / "config/backbones.yaml"
CASES = {"dino_demo": 64, "vit_untrained": 128, "efficientnet_lite0_untrained": 128}  # px
STEPS, TURNS = 6, 3  # both ways in turn, since other work on the machine disturbs
SEEDS, FRACTIONS = [0, 1, 2], [0.1, 0.3, 1.0]
TINY = {  # chosen on validation, for a network of 0.8 million weights
    "px": 64, "epochs": 20, "patience": 20, "min_steps": 8, "learning_rate": 2e-3, "layer_decay": 0.9,
    "drop_path": 0.1,
}  # fmt: skip


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
    from protloc.config.settings import Finetune, Probe
    from protloc.embed.images import field_images
    from protloc.embed.network import embed_network
    from protloc.fields import good_fields
    from protloc.finetune.machine import this_machine
    from protloc.finetune.runs import Job
    from protloc.variants import Variant
    from protloc.vectors import read_vectors

    network = load_backbones(REGISTRY)[backbone]
    path = small.folder / f"{backbone}.parquet"
    images = field_images(small.fovs, small.folder / "raw")
    variant = Variant("replicate_fill")
    embed_network(images, network, [variant], path, batch_size=32, threads=1)
    settings = Finetune(**changed)
    machine = this_machine(settings.micro_batch, 1)
    return Job(
        good_fields(small.fovs), small.folder / "raw", *read_vectors(path, variant), small.proteins, network,
        "replicate_fill", settings, "logistic", Probe().model_dump(exclude={"heads"}), machine,
    )  # fmt: skip


def runs_on(small: Small, fractions: list[float], seeds: list[int]) -> list:
    """The runs on splits by protein."""
    from protloc.policies import labels_by_gene
    from protloc.runs import plan
    from protloc.splits.table import make_split
    from protloc.variants import Variant

    labels = labels_by_gene(small.proteins, "single", 3, 4)
    shares = {"test_share": 0.25, "validation_share": 0.15, "fractions": fractions}
    split = make_split(small.fovs, labels, unit="protein", seeds=seeds, **shares)
    return plan({("protein", "single"): split}, fractions, [], Variant("replicate_fill"))


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
    from protloc.finetune.fields import Fields
    from protloc.finetune.optimizer import optimizer_of
    from protloc.finetune.runs import training_of

    job, (run,) = job_on(small, backbone, px=px, min_steps=STEPS), runs_on(small, [1.0], [0])
    fields = Fields(job.fields, job.root, job.network)
    fields.keep(range(len(job.fields)), job.settings.memory_mb, 1)
    training = training_of(job, run, fields, pd.Index(job.names))
    training.optimizer = optimizer_of(training.model.passes, training.model.head, job.settings)
    training.epoch = 1
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
    labels = torch.arange(size) % len(training.task.data.present)
    optimizer = torch.optim.AdamW(training.parameters.values(), 1e-5, fused=True)
    for _ in range(STEPS):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()


def accuracy(folder: Path, **changed) -> None:
    """Print a Markdown table of macro F1 by fraction: means over seeds with intervals, and the difference."""
    import pyarrow as pa
    from protloc.finetune.runs import Kept, finetune
    from protloc.kept import KeptRuns

    small = simulated(folder, proteins_per_class=30, fields=2, size=160)
    job, runs = job_on(small, "dino_demo", **changed), runs_on(small, FRACTIONS, SEEDS)
    kept = Kept(*(KeptRuns("predictions", folder / name, [time.time()]) for name in ("tuned", "epoch_0")))
    started = time.process_time()
    tables, measured = finetune(job, runs, kept, folder / ".checkpoint.safetensors")
    seconds = time.process_time() - started
    found = [pa.concat_tables(rows).to_pandas() for rows in reversed(tables)]
    print("| fraction | proteins | frozen | fine-tuned | difference |\n| ---: | ---: | ---: | ---: | ---: |")
    for fraction in FRACTIONS:
        shown = [
            interval(values) for values in compared(*(rows[rows["fraction"] == fraction] for rows in found))
        ]
        proteins = [run.part("train")["gene"].nunique() for run in runs if run.fraction == fraction]
        print(f"| {fraction:g} | {sum(proteins) / len(proteins):.0f} | {' | '.join(shown)} |")
    print(f"\n{seconds:.0f} s of processor time, {measured['images_per_second']} images/s")


def compared(*tasks: pd.DataFrame) -> Iterator[tuple[float, np.ndarray]]:
    """Yield macro F1 of each of two tasks, and of the second less the first: mean over seeds, and by draw.

    Proteins are drawn, the same for both.
    """
    from protloc.evaluate.bootstrap import by_protein, weights
    from protloc.evaluate.f1 import macro, macro_of_present
    from protloc.evaluate.levels import levels

    means, draws = [], []
    genes = np.unique(tasks[0]["gene"].to_numpy(str))
    drawn = weights(len(genes), 1000, ("protein", "single"))
    for rows in tasks:
        runs = [levels(run, "single")[""] for _, run in rows.groupby("seed")]
        means.append(float(np.mean([macro(run.counts.sum(axis=0)) for run in runs])))
        again = np.einsum("dp,rp...->dr...", drawn, by_protein(runs, genes))
        draws.append(macro_of_present(again).mean(axis=1))
        yield means[-1], draws[-1]
    yield means[1] - means[0], draws[1] - draws[0]


def interval(values: tuple[float, np.ndarray]) -> str:
    """A mean and its 95 % interval in words."""

    low, high = np.percentile(values[1], (2.5, 97.5))
    return f"{values[0]:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    from protloc.threads import one_thread

    one_thread()
    with tempfile.TemporaryDirectory() as folder:
        accuracy(Path(folder), **TINY) if "--accuracy" in sys.argv else speed(Path(folder))
