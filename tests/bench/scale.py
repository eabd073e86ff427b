"""Time, memory and files of a study of 100, 1,000 and 6,301 fields, through Snakemake, from small ones.

Run by `make bench`. Fields are of 128 px, five of a protein as in OpenCell, and of five classes; times and
memory are those that the records of the steps say, without Snakemake's own.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile
import yaml

ROOT = Path(__file__).resolve().parents[2]
COUNTS = (100, 1_000, 6_301)
SIDE, FIELDS_PER_PROTEIN = 128, 5
USED_CLASSES = 5
STEPS = ("acquire", "cells", "embed_network", "embed_network_cells", "split", "probe", "knn", "evaluate")
STUDY = {
    "study": "scale",
    "acquisition": {"mirror": "mirror", "labels": "mirror/labels.csv"},
    "embedding": {"backbones": ["vit_untrained"]},
    "cells": {"crop_um": 12.0, "exclude": ["saturated"]},
    "knn": {"k": [1, 10], "seeds": [0], "cells_per_protein": 10},
    "splits": {"units": ["protein"], "fractions": [1.0], "seeds": [0]},
}


def make(folder: Path, count: int) -> None:
    """A mirror of `count` different fields: simulated ones of every class, mirrored, turned and shifted."""
    from protloc.opencell import CLASSES, COLUMNS
    from protloc.simulate.study import simulate_study

    drawn = folder / "drawn"
    simulate_study(drawn, proteins_per_class=2, fields_per_protein=2, field_size=SIDE, seed=1, workers=2)
    with next(drawn.glob("*.csv")).open(newline="") as stream:
        labels = {row["ensg_id"]: row["annotations_grade_3"] for row in csv.DictReader(stream)}
    of_class: dict[str, list[np.ndarray]] = {name: [] for name in CLASSES}
    for path in sorted(drawn.rglob("*.tif")):
        label = labels[path.parent.name.rpartition("_")[2]].partition(";")[0]
        of_class[label].append(tifffile.imread(path))
    rng, rows = np.random.default_rng(0), {}
    for number in range(count):
        protein = number // FIELDS_PER_PROTEIN
        label = CLASSES[protein % USED_CLASSES]
        one = of_class[label][number % len(of_class[label])]
        one = np.roll(np.rot90(one, number % 4, (1, 2)), rng.integers(0, SIDE, 2), (1, 2))
        gene, ensg = f"G{protein:04d}", f"ENSG{protein:011d}"
        rows[gene] = (gene, ensg, label, "", "")
        path = (
            folder
            / f"mirror/microscopy/raw/{gene}_{ensg}/OC-FOV_{gene}_{ensg}_CID000001_FID{number:08d}_proj.tif"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, np.ascontiguousarray(one), imagej=True, metadata={"axes": "CYX"})
    with (folder / "mirror/labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows.values()])


def run(folder: Path) -> None:
    """The study up to its metrics."""
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    words = ["--snakefile", ROOT / "Snakefile", "--directory", folder, "--configfile", folder / "study.yaml"]
    target = "results/scale/metrics.parquet"
    command = [sys.executable, "-m", "snakemake", *map(str, words), "--cores", "2", target]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(done.stdout[-3000:])


def table(folder: Path, count: int) -> list[str]:
    """A row for each step, and one for the files."""
    found: dict[str, dict[str, dict]] = {}
    for path in (folder / "results").rglob("*.record.json"):
        record = json.loads(path.read_text())
        wildcards = json.dumps(record["facts"]["wildcards"], sort_keys=True)
        found.setdefault(record["facts"]["rule"], {})[wildcards] = record["run"]
    rows = []
    for step in STEPS:
        runs = list(found[step].values())
        seconds, memory = sum(run["seconds"] for run in runs), max(run["peak_memory_mb"] for run in runs)
        rows.append(
            f"| {step} | {count:,} | {seconds:.1f} s | {1000 * seconds / count:.1f} ms | {memory:.0f} MB |"
        )
    files = [path for path in (folder / "results").rglob("*") if path.is_file()]
    made = sum(path.stat().st_size for path in files) / 1e6
    raw = sum(1 for path in (folder / "data").rglob("*.tif"))
    return [*rows, f"| files | {count:,} | {len(files)} results, {made:.0f} MB | {raw:,} images | |"]


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=COUNTS)
    print(
        "| step | fields | time | per field | peak memory |\n| --- | ---: | ---: | ---: | ---: |", flush=True
    )
    for count in parser.parse_args().counts:
        with tempfile.TemporaryDirectory() as name:
            make(Path(name), count)
            run(Path(name))
            print(*table(Path(name), count), sep="\n", flush=True)


if __name__ == "__main__":
    main()
