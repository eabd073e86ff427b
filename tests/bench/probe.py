"""A grid of probes beside one process per run and beside its sums alone; peak memory by number of runs.

A grid is 6 fractions and 10 seeds on 20,000 x 768 vectors, by the rule's script, from the start of a process
to its end, the writing of predictions included. One process per run is the same script with one seed and
fraction; of each fraction some are measured and stand for all. The sums are as many batched products,
gradients, steps of AdamW and looks at validation, on random tensors in memory.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FIELDS, DIMENSION, CLASSES, PER_PROTEIN = 20_000, 768, 17, 10
FRACTIONS, SEEDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0], range(10)
MEASURED = 2  # processes of each fraction
CHUNK = 256  # rows that are looked at at once
SCRIPT = Path(__file__).resolve().parents[2] / "scripts/probe.py"
SETTINGS = {"patience": 15}  # of 15 looks: no head stops early, so that every way does the same sums


def named(**items: Any) -> Any:
    """Named things as Snakemake hands them over."""
    from protloc.audit.rerun import Named

    return Named([], items)


def write_inputs(root: Path) -> None:
    """Vectors that hold a weak direction of their class, proteins, and splits of all seeds and of each."""
    import numpy as np
    import pandas as pd
    from protloc.splits.table import make_split
    from protloc.tables import write_table
    from protloc.vectors import VectorWriter

    rng = np.random.default_rng(0)
    genes = [f"G{number:05d}" for number in range(FIELDS // PER_PROTEIN)]
    labels = {gene: [f"class_{number % CLASSES:02d}"] for number, gene in enumerate(genes)}
    names = [f"FID{number:08d}" for number in range(FIELDS)]
    of_field = np.arange(FIELDS) // PER_PROTEIN
    directions = 0.15 * rng.normal(size=(CLASSES, DIMENSION))
    own = 0.5 * rng.normal(size=(len(genes), DIMENSION))  # what a protein's fields share
    with VectorWriter(root / "vectors.parquet", "embeddings", {}) as writer:
        for name, number in zip(names, of_field, strict=True):
            vector = directions[number % CLASSES] + own[number] + rng.normal(size=DIMENSION)
            writer.add(name, vector.astype(np.float32))
    fovs = pd.DataFrame({"fov_id": names, "gene": np.take(genes, of_field), "status": "ok"})
    shares = {"test_share": 0.25, "validation_share": 0.15, "fractions": FRACTIONS}
    split = make_split(fovs, labels, unit="protein", seeds=list(SEEDS), **shares)
    for name, of_some in [("all", split), *((str(seed), of) for seed, of in split.groupby("seed"))]:
        (root / name).mkdir()
        write_table("splits", of_some, root / name / "protein-single.parquet")
    empty = {name: [[]] * len(genes) for name in ("grade_2", "grade_1")}
    proteins = {"gene": genes, "ensg_id": "ENSG00000000001", "grade_3": list(labels.values()), **empty}
    proteins = pd.DataFrame(proteins | {"fovs": PER_PROTEIN, "problem": None})
    write_table("proteins", proteins, root / "proteins.parquet")


def as_the_rule(root: Path, splits: str, fractions: list[float], head: str, output: Path) -> None:
    """Run the rule's script."""
    from protloc.config.settings import Probe

    job = SimpleNamespace(
        rule="probe",
        input=named(
            vectors=str(root / "vectors.parquet"),
            proteins=str(root / "proteins.parquet"),
            splits=[str(root / splits / "protein-single.parquet")],
        ),
        output=named(predictions=str(output / "predictions.parquet")),
        params=named(
            probe=Probe(**SETTINGS).model_dump(exclude={"heads"}),
            fractions=fractions,
            shots=[],
            how={"kept": str(output / ".kept")},
            code={},
        ),
        wildcards=named(head=head),
        threads=1,
        log=[str(output / "log")],
    )
    runpy.run_path(str(SCRIPT), {"snakemake": job})


def measured(root: Path, splits: str, fractions: list[float], head: str) -> tuple[float, float, int]:
    """Seconds of wall and of processor time, and peak memory in MB, of a process."""
    with tempfile.TemporaryDirectory(dir=root) as output:
        words = [sys.executable, __file__, root, splits, ",".join(map(str, fractions)), head, output]
        started = time.perf_counter()
        child = subprocess.Popen(words)
        _, status, used = os.wait4(child.pid, 0)
        assert status == 0, words
        return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def arithmetic(head: str, runs: int) -> tuple[float, float]:
    """Seconds of wall and processor time of the sums of the heads of `runs`, a pack at a time."""
    import torch
    from protloc.config.settings import Probe
    from protloc.probe.heads import HIDDEN, Heads
    from torch.nn.functional import cross_entropy

    torch.set_num_threads(1)
    settings, looks = Probe(), round(0.15 * FIELDS / CHUNK)
    heads, size = settings.pack, settings.batch_size
    model = Heads(DIMENSION, HIDDEN[head], CLASSES, 0.0, [[number] for number in range(heads)])
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    inputs, looked = (torch.randn(heads, rows, DIMENSION) for rows in (size, CHUNK))
    labels = torch.randint(CLASSES, (heads * size,))
    started, clock = time.process_time(), time.perf_counter()
    for step in range(1, settings.steps + 1):
        optimizer.zero_grad()
        cross_entropy(model(inputs).reshape(-1, CLASSES), labels, reduction="sum").backward()
        optimizer.step()
        if step % settings.check_every == 0:
            with torch.inference_mode():
                for _ in range(looks):
                    model(looked)
    packs = runs * len(settings.weight_decay) / heads
    return packs * (time.perf_counter() - clock), packs * (time.process_time() - started)


def main(root: Path, head: str) -> None:
    """Print a Markdown table of times, and one of peak memory."""
    write_inputs(root)
    runs = len(FRACTIONS) * len(SEEDS)
    ours = measured(root, "all", FRACTIONS, head)
    alone = [measured(root, str(seed), [of], head) for of in FRACTIONS for seed in SEEDS[:MEASURED]]
    rival = [runs / len(alone) * sum(of_one[kind] for of_one in alone) for kind in (0, 1)]
    sums = arithmetic(head, runs)
    few = measured(root, "0", FRACTIONS, head)
    print(f"| {runs} runs, {head} | wall | processor | |\n| --- | ---: | ---: | --- |")
    print(f"| in packs | {ours[0]:.0f} s | {ours[1]:.0f} s | |")
    for name, (wall, processor) in (("one process per run", rival), ("the sums alone", sums)):
        share = f"{wall / ours[0]:.2f} ({processor / ours[1]:.2f}) of it"
        print(f"| {name} | {wall:.0f} s | {processor:.0f} s | {share} |")
    print(f"\npeak memory: {few[2]} MB for {len(FRACTIONS)} runs, {ours[2]} MB for {runs}")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        given, splits, fractions, head, output = sys.argv[1:]
        as_the_rule(Path(given), splits, [float(of) for of in fractions.split(",")], head, Path(output))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder), *(sys.argv[1:] or ["linear"]))
