"""A run that is killed again and again ends in the tables of one that is not."""

from __future__ import annotations

import os
import random
import signal
import subprocess

import pytest
from conftest import command, mini, run, tables

KILLS = 10


@pytest.mark.nightly
def test_ten_kills_at_random_moments_change_no_table(finished, tmp_path):
    chance = random.Random(20)
    killed = 0
    for _ in range(KILLS):
        running = subprocess.Popen(
            command(tmp_path, mini()),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            running.wait(chance.uniform(4, 11))
        except subprocess.TimeoutExpired:
            killed += 1
            # Now and then only Snakemake dies, and the step that it started goes on beside the next run.
            target = os.killpg if chance.random() < 0.7 else os.kill
            target(running.pid, signal.SIGKILL)
            running.wait()
    assert killed >= 5
    last = run(tmp_path, mini())
    assert last.returncode == 0, last.stdout
    assert tables(tmp_path) == tables(finished)
    assert list((tmp_path / "results").rglob(".partial*")) == []
