"""A real Slurm on this machine for the session, and the tiny study run through it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from lab import HERE, command, finish, on_slurm

PROGRAMS = ("munged", "slurmctld", "slurmd", "slurmdbd", "mariadbd", "sacct")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[Path]:
    """The folder of a Slurm with nodes cpu1, cpu2, gpu1, gpu2: that of SLURM_LAB, or one for the session."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    there = all(shutil.which(program, path=path) for program in PROGRAMS)
    if os.geteuid() != 0 or not (there or shutil.which("apt-get")):
        pytest.skip("a Slurm of one's own needs root, and apt-get to install it")
    config = Path("/etc/slurm/slurm.conf")
    if config.exists() and not config.is_symlink():
        pytest.skip("this machine belongs to a cluster")
    given = os.environ.get("SLURM_LAB")
    lab = Path(given) if given else tmp_path_factory.mktemp("slurm")
    os.environ["SLURM_LAB"] = str(lab)
    up = subprocess.run([HERE / "up.sh"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if up.returncode != 0:
        pytest.skip(f"no Slurm could be started here: {up.stdout.splitlines()[-1:]}")
    yield lab
    if not given:
        subprocess.run([HERE / "down.sh", "--purge"])


@dataclass(frozen=True)
class Ran:
    """A study that ran through Slurm: where, since when, what Snakemake printed, and who saw no network."""

    folder: Path
    since: str
    printed: str
    offline: Path


@pytest.fixture(scope="session")
def ran(cluster, tmp_path_factory) -> Ran:
    """The tiny study through Slurm: its Snakemake killed at a random moment, and the same command again."""
    folder, offline = tmp_path_factory.mktemp("ran"), tmp_path_factory.mktemp("offline")
    since = datetime.now().isoformat(timespec="seconds")
    variables = {"PYTHONPATH": str(HERE / "offline"), "OFFLINE_WITNESS": str(offline)}
    words = on_slurm(folder)
    with (folder / "killed.log").open("w") as log:
        killed = subprocess.Popen(words, stdout=log, stderr=log, env=os.environ | variables)
        while "submitted with SLURM jobid" not in (folder / "killed.log").read_text():
            time.sleep(0.5)
        time.sleep(random.uniform(0, 50))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    return Ran(folder, since, finish(words, **variables), offline)


@pytest.fixture(scope="session")
def local(tmp_path_factory) -> Path:
    """The folder in which the tiny study ran without Slurm."""
    folder = tmp_path_factory.mktemp("local")
    finish(command(folder))
    return folder
