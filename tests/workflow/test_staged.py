"""From outside to metrics: fetched with faults on the way, then computed where there is no network at all."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from protloc.tables import read_table
from server import Fields, Outside, write_networks

STUDY = {
    "study": "staged",
    "acquisition": {"mirror": "s3://czb-opencell", "labels": "data/opencell-localization-annotations.csv"},
    "embedding": {"backbones": ["imagenet_dino_vits16", "handmade", "majority"]},
    "cells": {"crop_um": 8.0, "exclude": ["saturated"], "backbones": ["handmade"]},
    "knn": {"k": [1, 5], "seeds": [0], "cells_per_protein": 5},
    "splits": {"units": ["protein"], "fractions": [0.5, 1.0], "seeds": [0], "min_proteins": 3},
}
TARGET = "results/staged/metrics.parquet"
CLONE_NEWNET = 0x40000000
FAULT_SHARE = 0.01
TOGETHER = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}


def cut_off() -> None:
    """Leave the network, loopback too: in the child, before it becomes the command."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")


@pytest.mark.parametrize(
    "count",
    [pytest.param(680, marks=pytest.mark.slow), pytest.param(6301, marks=pytest.mark.nightly)],
)
def test_what_is_staged_from_a_faulty_server_is_enough_without_a_network(count, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can leave the network")
    study = STUDY | {"acquisition": STUDY["acquisition"] | {"expected_fields": count}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    write_networks(["imagenet_dino_vits16"], tmp_path / "weights")
    outside = Outside(Fields(count), tmp_path / "weights", fault_share=FAULT_SHARE)
    outside.start()
    outside.write_sources(tmp_path / "outside.csv")
    for _ in range(3):  # a file may go wrong more often than is forgiven; then a line says so
        first = stage(tmp_path)
        if first.returncode == 0:
            break
    assert first.returncode == 0, first.stdout
    assert {answer.status for answer in outside.asked("_proj.tif")} > {200}, "no fault happened"
    outside.log.clear()
    assert stage(tmp_path).returncode == 0
    assert outside.log == []
    assert stage(tmp_path, "--verify").returncode == 0
    outside.stop()

    words = [
        "--snakefile",
        ROOT / "Snakefile",
        "--directory",
        tmp_path,
        "--configfile",
        tmp_path / "study.yaml",
    ]
    command = [sys.executable, "-m", "snakemake", *words, "--cores", "2", TARGET]
    done = subprocess.run(command, preexec_fn=cut_off, **TOGETHER)
    assert done.returncode == 0, done.stdout
    fovs = read_table("fovs", tmp_path / "results/staged/fovs.parquet")
    assert len(fovs) == count
    assert set(fovs["status"]) == {"ok"}
    staged = {
        path.relative_to(tmp_path / "data/staged/raw").as_posix(): path
        for path in tmp_path.rglob("*_proj.tif")
    }
    assert staged.keys() == set(fovs["key"])
    assert all(staged[key].read_bytes() == outside.fields.content(key) for key in staged)
    metrics = read_table("metrics", tmp_path / TARGET)
    assert set(metrics["backbone"]) == set(STUDY["embedding"]["backbones"])
    assert {"logistic", "knn"} <= set(metrics["task"])


def stage(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`protloc stage` as a user calls it, from the server's addresses."""
    command = [sys.executable, "-m", "protloc.cli", "stage", "--configfile", "study.yaml"]
    return subprocess.run([*command, "--sources", "outside.csv", *words], cwd=folder, **TOGETHER)
