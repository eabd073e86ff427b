"""Studies run through a real Slurm on this machine: how they are started, watched and read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TINY: dict[str, Any] = {
    "study": "tiny",
    "simulation": {"proteins_per_class": 5, "fields_per_protein": 1, "field_size_px": 96, "seed": 3},
    "embedding": {"backbones": ["vit_untrained", "handmade"], "strategies": ["replicate_fill"]},
    "finetune": {"fractions": [1.0], "epochs": 1, "gpus": 1},
    "splits": {"units": ["protein"], "fractions": [0.5, 1.0], "seeds": [0, 1], "min_proteins": 3},
    "figures": {"bootstrap_draws": 200, "sheet_fields": 8, "queries": 3},
}
# The test cluster has two cores and answers at once; nothing else of profiles/slurm is changed.
QUICK = ("--jobs", "4", "--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10")


def command(folder: Path, *arguments: str, study: dict[str, Any] = TINY) -> list[str]:
    """The words of a snakemake command for a study, whose configuration is written into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    where = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return [sys.executable, "-m", "snakemake", *where, "--configfile", str(folder / "study.yaml"), *arguments]


def on_slurm(folder: Path, *arguments: str, study: dict[str, Any] = TINY) -> list[str]:
    """As `command`, with the cluster's profile."""
    return command(folder, "--profile", str(ROOT / "profiles/slurm"), *QUICK, *arguments, study=study)


def finish(words: list[str], timeout_s: float = 900, **variables: str) -> str:
    """Run a command to its end, which must be a good one; what it printed."""
    env = os.environ | {"PYTHONUNBUFFERED": "1"} | variables
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, timeout=timeout_s
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def tables(folder: Path, study: str = "tiny") -> dict[str, bytes]:
    """The bytes of every table and store of a study, by path."""
    results = folder / "results" / study
    return {
        path.relative_to(results).as_posix(): path.read_bytes()
        for path in results.rglob("*")
        if path.suffix in {".parquet", ".npy"} and not path.name.startswith(".")
    }


def jobs_of(since: str) -> list[dict[str, str]]:
    """What accounting says of the jobs of the workflow since a time: rule, node, state, resources."""
    columns = ("JobID", "Comment", "Partition", "NodeList", "State", "AllocTRES", "Start", "End")
    words = ["sacct", "--allocations", "--noheader", "--parsable2", "--duplicates"]
    words += ["--starttime", since, "--format", ",".join(columns)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    rows = (dict(zip(columns, line.split("|"), strict=True)) for line in said.splitlines())
    return [row for row in rows if row["Comment"].startswith("rule_")]


def rule_of(job: dict[str, str]) -> str:
    """The rule of a job."""
    return job["Comment"].removeprefix("rule_").partition("_wildcards_")[0]
