"""`protloc doctor` on a real Slurm: what is right is not called wrong, and each planted fault is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STUDY = {
    "study": "tiny",
    "simulation": {"proteins_per_class": 5, "fields_per_protein": 1, "field_size_px": 96, "seed": 3},
    "embedding": {"backbones": ["dino_demo", "handmade"], "strategies": ["replicate_fill"]},
    "finetune": {"backbones": ["dino_demo"], "fractions": [1.0], "epochs": 1, "gpus": 1},
    "splits": {"units": ["protein"], "fractions": [1.0], "seeds": [0], "min_proteins": 3},
}
ON_CPU = {"slurm_partition": "cpu"}
ON_GPU = {"slurm_partition": "gpu", "gpu": 1}
PROFILE = {
    "executor": "slurm",
    "jobs": 2,
    "default-resources": {"mem_mb": 1000, "runtime": 10, **ON_CPU},
    "set-threads": dict.fromkeys(("embed_network", "embed_features", "simulate", "finetune", "evaluate"), 1),
    "set-resources": {"embed_network": ON_GPU, "finetune": ON_GPU},
}


def diagnose(folder: Path, study: dict[str, Any], profile: dict[str, Any], **variables: str) -> list[dict]:
    """The rows of the table for a study and a profile."""
    (folder / "profile").mkdir(parents=True, exist_ok=True)
    (folder / "profile/config.yaml").write_text(yaml.safe_dump(profile))
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    words = [sys.executable, "-m", "protloc.cli", "doctor", "--configfile", "study.yaml"]
    words += ["--profile", str(folder / "profile"), "--json", "--wait", "300"]
    env = os.environ | {"PYTHONPATH": str(ROOT / "scripts")} | variables
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=500, env=env)
    rows = json.loads(done.stdout or "[]")
    assert done.returncode == int(any(row["state"] == "bad" for row in rows)), done.stdout + done.stderr
    assert rows, done.stderr
    return rows


def wrong(rows: list[dict], check: str, where: str) -> list[str]:
    """What is bad in a check at a place; each with what to do."""
    found = [row for row in rows if row["check"] == check and row["where"].startswith(where)]
    assert all(row["fix"] for row in found if row["state"] == "bad")
    return [f"{row['said']} -> {row['fix']}" for row in found if row["state"] == "bad"]


@pytest.fixture(scope="module")
def healthy(cluster, tmp_path_factory) -> list[dict]:
    """The table of a study and a profile that are right."""
    folder = tmp_path_factory.mktemp("healthy")
    rows = diagnose(folder, STUDY, PROFILE)
    assert not list(folder.glob("**/.protloc-doctor*"))
    assert not list(folder.glob(".snakemake/doctor/*"))
    return rows


@pytest.fixture(scope="module")
def profile_faults(cluster, tmp_path_factory) -> list[dict]:
    """The table where the profile asks for what the cluster has not, or not for what the study wants."""
    study = STUDY | {"finetune": STUDY["finetune"] | {"gpus": 2}}
    asked = {
        "embed_network": ON_CPU | {"gpu": 1},
        "finetune": {"gpu": 0, "gres": "gpu:1", "slurm_partition": "gpu"},
        "probe": {"slurm_partition": "big"},
        "embed_features": ON_CPU | {"cpus_per_task": 1},
    }
    threads = PROFILE["set-threads"] | {"embed_features": 4}
    profile = PROFILE | {"set-resources": asked, "set-threads": threads}
    return diagnose(tmp_path_factory.mktemp("profile"), study, profile)


@pytest.fixture(scope="module")
def machine_faults(cluster, tmp_path_factory) -> list[dict]:
    """The table where weights are missing or wrong, scratch is full, and results cannot be written."""
    folder = tmp_path_factory.mktemp("machine")
    for name in ("dino_demo.safetensors", "dino_demo.record.json"):
        content = bytearray((ROOT / "config/weights" / name).read_bytes())
        if name.endswith(".safetensors"):
            content[-1] ^= 1
        (folder / "config/weights").mkdir(parents=True, exist_ok=True)
        (folder / "config/weights" / name).write_bytes(content)
    backbones = [*STUDY["embedding"]["backbones"], "imagenet_dino_vits16"]
    study = STUDY | {"embedding": STUDY["embedding"] | {"backbones": backbones}}
    mounts = {folder / "scratch": "size=1m", folder / "results": "size=1m,ro"}
    try:
        for place, options in mounts.items():
            place.mkdir()
            words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
            if subprocess.run(words, capture_output=True).returncode:
                pytest.skip("needs the right to mount")
        return diagnose(folder, study, PROFILE, TMPDIR=str(folder / "scratch"))
    finally:
        for place in mounts:
            subprocess.run(["umount", str(place)], capture_output=True)


@pytest.mark.slow
def test_what_is_right_is_not_called_wrong(healthy):
    bad = [row for row in healthy if row["state"] == "bad"]
    # The devices of the test cluster are stand-ins without a driver, and that is seen.
    assert {(row["where"], row["check"]) for row in bad} <= {("gpu", "cuda")}
    seen = {(row["where"], row["check"]) for row in healthy if row["state"] == "ok"}
    everywhere = ("partition", "cores", "memory", "scratch", "folders", "files", "clock", "versions")
    assert {(place, check) for place in ("cpu", "gpu") for check in everywhere} <= seen
    assert ("gpu", "gpus") in seen
    assert all("on gpu" in row["said"] for row in bad)  # by the name that Slurm knows it by


@pytest.mark.slow
def test_a_partition_without_gpus(healthy, profile_faults):
    assert not wrong(healthy, "partition", "cpu")
    (said,) = wrong(profile_faults, "partition", "cpu")
    assert said.startswith("cpu: 1 GPUs asked for by embed_network, no node has one -> ")
    assert "partitions with so many: gpu" in said


@pytest.mark.slow
def test_another_number_of_devices(healthy, profile_faults):
    assert not wrong(healthy, "gpus", "gpu")
    (said,) = wrong(profile_faults, "gpus", "gpu")
    assert said.startswith("1 seen, 2 asked for by finetune -> ask for as many in the profile")


@pytest.mark.slow
def test_an_unknown_partition(healthy, profile_faults):
    assert not wrong(healthy, "partition", "big")
    (said,) = wrong(profile_faults, "partition", "big")
    assert said.startswith("big: is not on this cluster -> correct it in the profile")
    assert "there are cpu, gpu" in said


@pytest.mark.slow
def test_one_core_where_four_were_asked(healthy, profile_faults):
    assert not wrong(healthy, "cores", "cpu")
    (said,) = wrong(profile_faults, "cores", "cpu")
    assert said.startswith("Slurm grants 1 of 4 cores asked for -> take cpus_per_task")


@pytest.mark.slow
def test_full_scratch(healthy, machine_faults):
    assert not wrong(healthy, "scratch", "")
    for place in ("here", "cpu", "gpu"):
        (said,) = wrong(machine_faults, "scratch", place)
        assert "No space left on device" in said and "-> export TMPDIR=" in said


@pytest.mark.slow
def test_no_write_permission(healthy, machine_faults):
    assert not wrong(healthy, "folders", "")
    for place in ("here", "cpu", "gpu"):
        (said,) = wrong(machine_faults, "folders", place)
        assert said.startswith("results: Read-only file system: user root cannot write there")
        assert "-> make the folder yours and writable" in said


@pytest.mark.slow
def test_missing_weights(healthy, machine_faults):
    assert not wrong(healthy, "weights", "here")
    (said,) = [one for one in wrong(machine_faults, "weights", "here") if "missing" in one]
    assert said.startswith("data/weights/dino_deitsmall16_pretrain.pth: ")
    assert "fetch them with protloc stage --configfile and the study's file, or put https://" in said


@pytest.mark.slow
def test_weights_with_another_hash(healthy, machine_faults):
    (said,) = [one for one in wrong(machine_faults, "weights", "here") if "missing" not in one]
    assert said.startswith("config/weights/dino_demo.safetensors: sha256 is not ")
    assert "-> git checkout -- config/weights/dino_demo.safetensors" in said
