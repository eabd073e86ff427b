"""Trainings that are told to end or killed, again and again, end in the tables of ones that are not."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import command, mini, run

KILLS, TO_END_S = 20, 10.0
STUDY = mini(
    probe={"heads": ["linear"], "epochs": 150, "patience": 150, "pack": 4},
    finetune={"epochs": 4, "patience": 4, "fractions": [0.5, 1.0], "min_steps": 4},
)
ROUTES = ["linear/vit_untrained", "finetune/vit_untrained/replicate_fill"]
RUNS = [f"results/mini/runs/fov/{route}" for route in ROUTES]
LOGS = [f"results/mini/logs/{route}.log" for route in (f"probe/{ROUTES[0]}", ROUTES[1])]
HISTORY = {".predictions.parquet.history.jsonl"}  # of one that was killed just after its end
TARGETS = [f"{folder}/predictions.parquet" for folder in RUNS]


@pytest.fixture(scope="module")
def undisturbed(finished, tmp_path_factory) -> Path:
    """A folder in which both trainings have come to their end."""
    folder = shutil.copytree(finished, tmp_path_factory.mktemp("undisturbed") / "study", symlinks=True)
    trained(folder)
    return folder


def trained(folder: Path, study: dict[str, Any] = STUDY) -> list[bytes]:
    """The bytes of the tables, made anew where they are not there."""
    done = run(folder, study, *TARGETS)
    assert done.returncode == 0, done.stdout
    return [(folder / target).read_bytes() for target in TARGETS]


def forget(folder: Path) -> None:
    """Delete the trainings, kept runs and all."""
    for made in RUNS:
        shutil.rmtree(folder / made)


def begin_training(folder: Path) -> subprocess.Popen:
    """A snakemake in a group of its own, at a moment when all its steps have begun to train."""
    logs = [folder / log for log in LOGS]
    for log in logs:
        log.unlink(missing_ok=True)
    running = subprocess.Popen(
        command(folder, STUDY, *TARGETS, "--nolock"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    waiting = [log for log, target in zip(logs, TARGETS, strict=True) if not (folder / target).exists()]
    while running.poll() is None and waiting:
        waiting = [log for log in waiting if not (log.exists() and "to train" in log.read_text())]
        time.sleep(0.02)
    return running


def seconds_to_end(running: subprocess.Popen, told: int) -> float:
    """How long all processes of the group take to be gone after a signal to them."""
    started = time.monotonic()
    os.killpg(running.pid, told)
    running.wait()
    while time.monotonic() - started < 2 * TO_END_S:
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    return time.monotonic() - started


@pytest.mark.nightly
def test_twenty_signals_to_trainings_change_no_byte_and_are_heard_in_time(finished, undisturbed, tmp_path):
    wanted = [(undisturbed / target).read_bytes() for target in TARGETS]
    folder = shutil.copytree(finished, tmp_path / "disturbed", symlinks=True)
    forget(folder)
    chance, rounds, took = random.Random(7), 0, []
    while len(took) < KILLS:
        running = begin_training(folder)
        time.sleep(chance.uniform(0, 4))
        if running.poll() is None:
            took.append(seconds_to_end(running, (signal.SIGTERM, signal.SIGKILL)[len(took) % 2]))
        else:  # it came to its end before: once more from the beginning
            assert trained(folder) == wanted
            rounds += 1
            forget(folder)
    assert max(took) < TO_END_S
    assert trained(folder) == wanted
    names = {path.name for made in RUNS for path in (folder / made).iterdir()} - HISTORY
    assert names == {"predictions.parquet", "predictions.parquet.record.json", ".kept"}
    print(f"{rounds} rounds, {max(took):.1f} s at most to end")


@pytest.mark.nightly
def test_a_new_seed_trains_one_run_per_fraction_and_split_and_a_removed_one_none(undisturbed, tmp_path):
    folder = shutil.copytree(undisturbed, tmp_path / "seeds", symlinks=True)
    first = [(folder / target).read_bytes() for target in TARGETS]
    found = {}
    for seeds in ([0, 1, 2], [0, 1]):
        again = trained(folder, STUDY | {"splits": STUDY["splits"] | {"seeds": seeds}})
        logs = [(folder / log).read_text() for log in LOGS]
        found[len(seeds)] = [line for log in logs for line in log.splitlines() if "to train" in line]
    assert [line.split(": ", 1)[1] for line in found[3]] == [
        "12 runs: 8 kept from before, 4 to train",
        "6 runs: 4 kept from before, 2 to train",
    ]
    assert all(line.endswith(" 0 to train") for line in found[2]) and again == first
