"""One writer per result, one run per study: whoever died, wherever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from protloc import claims
from protloc.claims import is_over, read, this_process
from protloc.cluster.earlier import claim_path, end_run, release_run, start_run
from protloc.errors import InputError
from protloc.locks import lock_path, only_writer

HOLD = """
import sys, time
from pathlib import Path
from protloc.locks import only_writer
with only_writer([Path(sys.argv[1])]):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
ELSEWHERE = {"host": "elsewhere", "process": 1, "born": "then", "job": None}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A function that puts a command of Slurm's, a shell script, first in the path."""
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    (tmp_path / "bin").mkdir()

    def put(name: str, script: str) -> None:
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)

    return put


def hold(result: Path, seconds: float) -> subprocess.Popen:
    """A process that holds the lock of a result."""
    words = [sys.executable, "-c", HOLD, str(result), str(seconds)]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_writer_waits_for_the_first(tmp_path, caplog):
    holder = hold(tmp_path / "a", 2)
    started = time.monotonic()
    with only_writer([tmp_path / "a"]):
        assert time.monotonic() - started > 0.5
    assert f"waiting for process {holder.pid} on " in caplog.text
    holder.wait()
    assert not lock_path(tmp_path / "a").exists()


def test_a_second_writer_that_may_not_wait_says_in_one_line_who_writes(tmp_path):
    holder = hold(tmp_path / "a", 60)
    line = f"process {holder.pid} on .* still writes this result; run again"
    with pytest.raises(InputError, match=line), only_writer([tmp_path / "a"], wait_s=0):
        pass
    holder.kill()
    holder.wait()


def test_a_killed_writer_keeps_nobody_waiting(tmp_path):
    holder = hold(tmp_path / "a", 60)
    holder.kill()
    holder.wait()
    assert lock_path(tmp_path / "a").exists()
    with only_writer([tmp_path / "a"], wait_s=0):
        pass


def test_a_process_of_the_same_number_is_not_the_same(tmp_path):
    assert not is_over(this_process())
    assert is_over(this_process() | {"born": "another boot:7"})


def test_a_writer_elsewhere_is_over_if_slurm_says_that_its_job_is(slurm):
    slurm("squeue", 'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1')
    assert is_over(ELSEWHERE | {"job": "7"})
    slurm("squeue", "true")
    assert is_over(ELSEWHERE | {"job": "7"})
    slurm("squeue", "echo RUNNING")
    assert not is_over(ELSEWHERE | {"job": "7"})
    slurm("squeue", 'echo "Unable to contact slurm controller" >&2; exit 1')
    assert not is_over(ELSEWHERE | {"job": "7"})
    assert not is_over(ELSEWHERE)


def test_a_job_that_slurm_started_again_follows_itself(slurm, monkeypatch):
    slurm("squeue", "echo RUNNING")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert is_over(ELSEWHERE | {"job": "7"})


def test_a_writer_that_was_taken_for_dead_writes_nothing(tmp_path):
    with (
        pytest.raises(InputError, match="another process has taken over"),
        only_writer([tmp_path / "a"]) as check,
    ):
        check()
        lock_path(tmp_path / "a").write_text(json.dumps(ELSEWHERE))
        check()
    assert read(lock_path(tmp_path / "a")) == ELSEWHERE


def enter(folder: Path) -> int:
    """Go in and out of the block, each time after a writer that died; how often another was in it."""
    met = 0
    for _ in range(20):
        lock = lock_path(folder / "a")
        claims._create(lock, this_process() | {"born": "long ago"})
        with only_writer([folder / "a"], wait_s=120):
            inside = folder / f"inside-{os.getpid()}"
            inside.touch()
            met += len(list(folder.glob("inside-*"))) - 1
            time.sleep(0.002)
            inside.unlink()
    return met


def test_never_are_two_in_the_block(tmp_path, monkeypatch):
    monkeypatch.setattr("protloc.locks.LOOK_S", 0.001)
    with ProcessPoolExecutor(4) as pool:
        assert sum(pool.map(enter, [tmp_path] * 4)) == 0


def no_reason() -> None:
    raise AssertionError("no reason to start anew")


def test_a_new_run_ends_the_jobs_of_a_killed_one_and_starts_anew(tmp_path, slurm, capsys):
    claim_path(tmp_path).write_text(json.dumps(this_process(name="run-1") | {"born": "before"}))
    slurm("squeue", f'[ "$3" = run-1 ] && cat {tmp_path}/queue')
    slurm("scancel", f'[ "$2" = run-1 ] && : > {tmp_path}/queue')
    (tmp_path / "queue").write_text("11\n12\n")
    left = []
    mine = start_run(tmp_path, "run-2", lambda: left.append((tmp_path / "queue").read_text()))
    assert "Ending 2 jobs of an earlier run that was killed" in capsys.readouterr().err
    assert left == [""]
    assert read(claim_path(tmp_path)) == mine
    end_run(tmp_path, mine)
    assert not claim_path(tmp_path).exists()


def test_no_run_starts_beside_one_that_lives(tmp_path):
    start_run(tmp_path, None, no_reason)
    with pytest.raises(InputError, match=f"process {os.getpid()} on .* is making these results$"):
        start_run(tmp_path, None, no_reason)
    with pytest.raises(InputError, match="is at work; end that process first"):
        release_run(tmp_path)


def test_a_run_that_began_elsewhere_is_released_by_its_user(tmp_path, slurm):
    claim_path(tmp_path).write_text(json.dumps(ELSEWHERE | {"name": "run-1"}))
    with pytest.raises(InputError, match=r"if that run is over, `protloc release .*` ends its jobs"):
        start_run(tmp_path, None, no_reason)
    slurm("squeue", "true")
    assert release_run(tmp_path).endswith("released from process 1 on elsewhere")
    start_run(tmp_path, None, no_reason)


def test_the_same_command_is_the_same_in_its_folder(tmp_path):
    code = """
import os, sys
from protloc.cluster.earlier import same_command_again
print(os.getcwd(), sys.argv[1], len(os.environ["TIMES"]))
if len(os.environ["TIMES"]) < 2:
    os.environ["TIMES"] += "1"
    os.chdir("/")
    same_command_again(sys.argv[1])
"""
    words = [sys.executable, "-c", code, str(tmp_path)]
    env = os.environ | {"TIMES": "1"}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout == f"{tmp_path} {tmp_path} 1\n{tmp_path} {tmp_path} 2\n"


def test_without_an_answer_of_slurm_no_run_starts_over_one_with_jobs(tmp_path, slurm, monkeypatch):
    monkeypatch.setattr("protloc.cluster.earlier.ENDING_S", 0.0)
    claim_path(tmp_path).write_text(json.dumps(this_process(name="run-1") | {"born": "before"}))
    slurm("squeue", "exit 1")
    with pytest.raises(InputError, match="was killed and Slurm does not answer; run again later"):
        start_run(tmp_path, None, no_reason)
