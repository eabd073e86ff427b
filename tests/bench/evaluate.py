"""Time and memory of all statistics of a study at full size, from made-up predictions.

Run by `make bench`: 10 backbones × 6 strategies × 6 fractions × 10 seeds × 2 tasks, a quarter of 6,300 fields
tested. The files of a few routes stand for all; the work is that of the step `evaluate`, in a process of its
own with two workers.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

TASKS, BACKBONES, STRATEGIES, SEEDS, DISTINCT = 2, 10, 6, 10, 6
FRACTIONS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
PROTEINS, TESTED, FIELDS, CLASSES = 1310, 328, 1575, 17
DRAWS, WORKERS = 2000, 2


def route(number: int) -> pd.DataFrame:
    """Rows of `predictions` of a route that is right the more often, the larger its number and fraction."""
    classes, runs = [f"class {name:02d}" for name in range(CLASSES)], []
    for seed, fraction in product(range(SEEDS), FRACTIONS):
        drawn = np.random.default_rng(seed).choice(PROTEINS, TESTED, replace=False)
        protein = np.sort(np.resize(drawn, FIELDS))
        truth, rng = protein % CLASSES, np.random.default_rng([number, seed, int(100 * fraction)])
        scores = rng.dirichlet(np.full(CLASSES, 0.5), FIELDS)
        scores[np.arange(FIELDS), truth] += rng.random(FIELDS) * (0.4 + 0.04 * number) * fraction**0.1
        scores = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
        columns = {
            "fov_id": [f"FID{field:08d}" for field in range(FIELDS)],
            "gene": [f"G{one:04d}" for one in protein],
            "truth": [[classes[one]] for one in truth],
            "predicted": [[classes[one]] for one in scores.argmax(axis=1)],
            "probabilities": list(scores),
            "classes": [classes] * FIELDS,
            "thresholds": [[]] * FIELDS,
        }
        setting = {"split_unit": "protein", "label_policy": "single", "fraction": fraction, "seed": seed}
        runs.append(pd.DataFrame(columns).assign(**setting))
    return pd.concat(runs)


def make(root: Path) -> None:
    """The files of all routes, most of them links."""
    from protloc.tables import write_table

    for number in range(DISTINCT):
        write_table("predictions", route(number), root / f"drawn {number}")
    for number, (task, backbone, strategy) in enumerate(names()):
        os.link(root / f"drawn {number % DISTINCT}", root / f"{task}-{backbone}-{strategy}")


def names() -> list[tuple[str, str, str]]:
    """Task, backbone and strategy of each route."""
    tasks = ("linear", "finetune")[:TASKS]
    return list(product(tasks, *([f"{kind}{n}" for n in range(many)] for kind, many in KINDS)))


KINDS = (("backbone", BACKBONES), ("strategy", STRATEGIES))


def score(root: Path) -> None:
    """The work of the step `evaluate`; prints the time and memory of its processes."""
    from protloc.evaluate.enough import enough
    from protloc.evaluate.paired import compare
    from protloc.evaluate.study import score_study
    from protloc.tables import write_table

    jobs = [("predictions", str(root / "-".join(of)), [of[0], "fov", *of[1:]]) for of in names()]
    started = time.perf_counter()
    metrics, summary, sides = score_study(jobs, DRAWS, WORKERS)
    scored = time.perf_counter()
    made = {"metrics": metrics, "summary": summary, "comparisons": compare(sides), "enough": enough(summary)}
    for name, table in made.items():
        write_table(name, table, root / f"{name}.parquet")
    compared = time.perf_counter()
    own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = sum(of.ru_utime + of.ru_stime for of in (own, workers))
    peak = (own.ru_maxrss + WORKERS * workers.ru_maxrss) / 1024
    rows = len(made["comparisons"])
    wall = f"{scored - started:.0f} s | {compared - scored:.0f} s"
    print(f"| {wall} | {cpu:.0f} s | {peak:.0f} MB | {rows} |")


def main() -> None:
    """Print a Markdown table: seconds to score and to compare, memory of all processes, pairs compared."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        print("| score 7,200 runs | compare | processor | peak memory, at most | comparisons |")
        print("| ---: | ---: | ---: | ---: | ---: |", flush=True)
        subprocess.run([sys.executable, __file__, folder], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        score(Path(sys.argv[1]))
    else:
        main()
