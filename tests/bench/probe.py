"""A grid of probes beside one process per run; peak memory by number of runs.

    python tests/bench/probe.py [logistic | linear | mlp | wide] [fields] [seeds]

A grid is 6 fractions and 10 seeds on 20,000 x 768 vectors, by the rule's script, from the start of a process
to its end, the writing of predictions included. One process per run is the same script with one seed and
fraction; of each fraction one is measured and stands for all. For `logistic` a second rival is a process per
run of scikit-learn's LogisticRegression on the same standard scores, with the same sweep, each C starting
from the last one's weights, and the same choice.
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

DIMENSION, CLASSES, PER_PROTEIN = 768, 17, 10
FRACTIONS = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0]
SCRIPT = Path(__file__).resolve().parents[2] / "scripts/probe.py"
SETTINGS = {"epochs": 10, "patience": 10}  # of heads by AdamW: none stops early, all do the same sums


def named(**items: Any) -> Any:
    """Named things as Snakemake hands them over."""
    from protloc.audit.rerun import Named

    return Named([], items)


def write_inputs(root: Path, fields: int, seeds: int) -> None:
    """Vectors that hold a weak direction of their class, proteins, and splits of all seeds and of each."""
    import numpy as np
    import pandas as pd
    from protloc.splits.table import make_split
    from protloc.tables import write_table
    from protloc.variants import Variant
    from protloc.vectors import VectorWriter

    rng = np.random.default_rng(0)
    genes = [f"G{number:05d}" for number in range(fields // PER_PROTEIN)]
    labels = {gene: [f"class_{number % CLASSES:02d}"] for number, gene in enumerate(genes)}
    names = [f"FID{number:08d}" for number in range(fields)]
    of_field = np.arange(fields) // PER_PROTEIN
    directions = 0.15 * rng.normal(size=(CLASSES, DIMENSION))
    own = 0.5 * rng.normal(size=(len(genes), DIMENSION))  # what a protein's fields share
    with VectorWriter(root / "vectors.parquet", "embeddings", {}) as writer:
        for name, number in zip(names, of_field, strict=True):
            vector = directions[number % CLASSES] + own[number] + rng.normal(size=DIMENSION)
            writer.add(name, Variant("none"), vector.astype(np.float32))
    fovs = pd.DataFrame({"fov_id": names, "gene": np.take(genes, of_field), "status": "ok"})
    shares = {"test_share": 0.25, "validation_share": 0.15, "fractions": FRACTIONS}
    split = make_split(fovs, labels, unit="protein", seeds=list(range(seeds)), **shares)
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
            variants=["none"],
            designs={"fractions": fractions, "shots": []},
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


def by_scikit_learn(root: Path, splits: str, fraction: float) -> None:
    """What a script of one run would do: standardize, sweep C, choose, predict, write."""
    import numpy as np
    import pandas as pd
    from protloc.config.settings import Probe
    from protloc.standard_scores import standard_scores
    from protloc.tables import read_table
    from protloc.variants import Variant
    from protloc.vectors import read_vectors
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score

    names, vectors = read_vectors(root / "vectors.parquet", Variant("none"))
    split = read_table("splits", root / splits / "protein-single.parquet")
    split = split[(split["part"] != "train") | (split["fraction"] <= fraction)]
    labels = split["labels"].str[0]
    rows = {part: pd.Index(names).get_indexer(of["fov_id"]) for part, of in split.groupby("part")}
    scores = standard_scores(vectors[rows["train"]])
    model, best, found = LogisticRegression(max_iter=3000, warm_start=True), -1.0, None
    for strength in sorted(Probe().c):
        model.set_params(C=strength).fit(scores(vectors[rows["train"]]), labels[split["part"] == "train"])
        said = model.predict(scores(vectors[rows["validation"]]))
        score = f1_score(labels[split["part"] == "validation"], said, average="macro")
        if score > best:
            best, found = score, model.predict_proba(scores(vectors[rows["test"]]))
    np.save(root / "found.npy", found)


def main(root: Path, head: str, fields: int, seeds: int) -> None:
    """Print a Markdown table of times, and a line of peak memory."""
    write_inputs(root, fields, seeds)
    runs = len(FRACTIONS) * seeds
    ours = measured(root, "all", FRACTIONS, head)
    rivals = {"one process per run": head} | ({"scikit-learn": "scikit-learn"} if head == "logistic" else {})
    print(f"| {runs} runs, {head} | wall | processor | wall / packs |\n| --- | ---: | ---: | ---: |")
    print(f"| in packs | {ours[0]:.0f} s | {ours[1]:.0f} s | 1 |", flush=True)
    for name, of_rival in rivals.items():
        alone = [measured(root, "0", [fraction], of_rival) for fraction in FRACTIONS]
        wall, processor = (seeds * sum(of_one[kind] for of_one in alone) for kind in (0, 1))
        print(f"| {name} | {wall:.0f} s | {processor:.0f} s | {wall / ours[0]:.1f} |", flush=True)
    few = measured(root, "0", FRACTIONS, head)
    print(f"\npeak memory: {few[2]} MB for {len(FRACTIONS)} runs, {ours[2]} MB for {runs}")


if __name__ == "__main__":
    if len(sys.argv) > 4:
        given, splits, fractions, head, output = sys.argv[1:]
        chosen = [float(of) for of in fractions.split(",")]
        if head == "scikit-learn":
            by_scikit_learn(Path(given), splits, *chosen)
        else:
            as_the_rule(Path(given), splits, chosen, head, Path(output))
    else:
        given = sys.argv[1:]
        head, fields, seeds = [*given, *["logistic", "20000", "10"][len(given) :]]
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder), head, int(fields), int(seeds))
