"""Nearest neighbours for all k in one go, beside scikit-learn once for each k, and the memory that they take.

Run by `make bench`. Each measurement is a process of its own with all cores; every cell is a query for all
others. scikit-learn is run for the smallest and the largest k, and their mean is multiplied.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd

SIZES = ((5_000, 20), (20_000, 20), (20_000, 500))  # cells, knn.memory_mb
DIMENSION, CLASSES = 768, 17
K = [1, 3, 5, 10, 20, 50, 100, 200]
COLUMNS = ("cells", "memory_mb", "all k at once", "scikit-learn × 8", "times as fast", "peak", "its peak")


def main() -> None:
    """Print a Markdown table: wall time, in brackets processor time, and peak memory above the vectors."""
    print(f"| {' | '.join(COLUMNS)} |\n|{' ---: |' * len(COLUMNS)}")
    for cells, memory in SIZES:
        wall, cpu, peak = timed("ours", cells, memory)
        rivals = np.array([timed("sklearn", cells, k) for k in (K[0], K[-1])])
        rival_wall, rival_cpu = len(K) * rivals[:, :2].mean(axis=0)
        times = f"{wall:.0f} s ({cpu:.0f} s) | {rival_wall:.0f} s ({rival_cpu:.0f} s)"
        ratios = f"{rival_wall / wall:.1f} ({rival_cpu / cpu:.1f})"
        memory_mb = f"{peak:.0f} MB | {rivals[:, 2].max():.0f} MB"
        print(f"| {cells} | {memory} | {times} | {ratios} | {memory_mb} |", flush=True)


@cache
def timed(way: str, cells: int, value: int) -> list[float]:
    """Wall time, processor time and peak memory above the vectors, measured in a process of its own."""
    words = [sys.executable, __file__, way, str(cells), str(value)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return [float(word) for word in done.stdout.split()]


def measure(work: Callable[[], object]) -> str:
    """What `work` takes, without what there was before it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return f"{wall} {cpu} {peak / 1024}"


def ours(vectors: np.ndarray, truth: np.ndarray, memory_mb: int) -> Callable[[], object]:
    """All k and both votes, with the tables of the results."""
    from protloc.knn.runs import knn_runs
    from threadpoolctl import threadpool_limits

    names = [f"FID{number:08d}-0001" for number in range(len(vectors))]
    labels = {"label_policy": "single", "cell_id": names, "fov_id": names, "gene": names, "label": truth}
    settings = {"temperature": 0.07, "apart": ["cell"], "cells_per_protein": None, "seeds": [0]}
    threads = len(os.sched_getaffinity(0))
    limits = {"memory_mb": memory_mb, "threads": threads}
    threadpool_limits(1)
    return lambda: list(knn_runs(names, vectors, pd.DataFrame(labels), k=K, **settings, **limits))


def sklearn(vectors: np.ndarray, truth: np.ndarray, k: int) -> Callable[[], object]:
    """One k and one vote."""
    from sklearn.neighbors import KNeighborsClassifier

    classifier = KNeighborsClassifier(k, algorithm="brute", metric="cosine").fit(vectors, truth)
    return lambda: classifier.predict(vectors)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        rng = np.random.default_rng(0)
        made = rng.standard_normal((int(sys.argv[2]), DIMENSION), dtype=np.float32)
        classes = np.array([f"class {number:02d}" for number in rng.integers(0, CLASSES, len(made))])
        print(measure({"ours": ours, "sklearn": sklearn}[sys.argv[1]](made, classes, int(sys.argv[3]))))
    else:
        main()
