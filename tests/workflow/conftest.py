"""Whole studies, run as a user runs them: the snakemake command in an empty working directory."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MINI: dict[str, Any] = {
    "study": "mini",
    "simulation": {"proteins_per_class": 5, "fields_per_protein": 2, "field_size_px": 96, "seed": 3},
    "embedding": {
        "backbones": ["efficientnet_lite0", "vit_untrained", "handmade", "majority"],
        "strategies": ["replicate_fill"],
    },
    "cells": {"crop_um": 12.0, "exclude": ["saturated"], "backbones": ["efficientnet_lite0", "handmade"]},
    "knn": {"k": [1, 3], "cells_per_protein": 3, "seeds": [0, 1]},
    "finetune": {"backbones": ["vit_untrained"], "units": ["protein"], "fractions": [1.0], "epochs": 1},
    "splits": {"fractions": [0.5, 1.0], "seeds": [0, 1], "min_proteins": 3},
    "figures": {"bootstrap_draws": 200, "sheet_fields": 8, "queries": 3},
}


def mini(**changes: Any) -> dict[str, Any]:
    """The small study with some groups of settings changed."""
    study = copy.deepcopy(MINI)
    for group, values in changes.items():
        if isinstance(values, dict) and group in study:
            study[group] |= values
        else:
            study[group] = values
    return study


def command(folder: Path, study: dict[str, Any], *arguments: str, cores: int = 2) -> list[str]:
    """The words of a snakemake command for the study, whose configuration is written into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    where = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    config = ["--configfile", str(folder / "study.yaml"), "--cores", str(cores)]
    return [sys.executable, "-m", "snakemake", *where, *config, *arguments]


def run(
    folder: Path, study: dict[str, Any], *arguments: str, cores: int = 2
) -> subprocess.CompletedProcess[str]:
    """Run snakemake to its end; standard error is part of the output."""
    return subprocess.run(
        command(folder, study, *arguments, cores=cores),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        timeout=900,
    )


def tables(folder: Path) -> dict[str, bytes]:
    """The bytes of every table and of the crop store of the mini study, by path."""
    results = folder / "results/mini"
    return {
        path.relative_to(results).as_posix(): path.read_bytes()
        for path in results.rglob("*")
        if path.suffix in {".parquet", ".npy"} and not path.name.startswith(".")
    }


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A folder in which the mini study has run from nothing to its end, on two cores."""
    folder = tmp_path_factory.mktemp("finished")
    done = run(folder, mini())
    assert done.returncode == 0, done.stdout
    return folder
