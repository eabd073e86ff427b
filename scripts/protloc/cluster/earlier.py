"""One run per study at a time; a new one first ends the jobs that a killed one left behind."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from protloc.claims import Claim, is_over, read, release, take, this_process, whose
from protloc.errors import InputError
from protloc.slurm import ask, unfinished

ENDING_S = 180.0  # a job told to end has KillWait (30 s), and then its node tells the controller
LOOK_S = 1.0


def claim_path(results: Path) -> Path:
    """Where it says which run is making a study's results."""
    return results / ".run.json"


def start_run(results: Path, name: str | None, start_anew: Callable[[], None]) -> Claim:
    """The claim of this run on a study's folder; `name` is what its Slurm jobs are called, None without any.

    Jobs of an earlier run that was killed are cancelled, and their end is waited for; then `start_anew` is
    called, since the Snakemake inside of a job that is cancelled deletes what the job has made, and what was
    planned before may rest on that. InputError if another run goes on, or if nobody can tell.
    """
    results.mkdir(parents=True, exist_ok=True)
    path, mine = claim_path(results), this_process(name=name)

    def bury(earlier: Claim) -> None:
        if earlier.get("name"):
            _end_jobs(earlier)
            release(path, earlier)
            start_anew()

    other = take(path, mine, bury)
    if other is None:
        return mine
    line = f"{results}: {whose(other)} is making these results"
    if other["host"] != mine["host"]:
        line += f"; if that run is over, `protloc release {results}` ends its jobs"
    raise InputError(line)


def same_command_again(folder: str) -> None:
    """Become what this process was when it was started, in the folder where that was."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.chdir(folder)
    os.execv(sys.executable, sys.orig_argv)


def end_run(results: Path, mine: Claim) -> None:
    """Give the study's folder free."""
    release(claim_path(results), mine)


def release_run(results: Path) -> str:
    """What was done, in words: the jobs of a run that its user knows to be over end, its folder is free."""
    path = claim_path(results)
    earlier = read(path)
    if earlier is None:
        return f"{results}: no run to release"
    if earlier["host"] == this_process()["host"] and not is_over(earlier):
        raise InputError(f"{results}: {whose(earlier)} is at work; end that process first")
    _end_jobs(earlier)
    release(path, earlier)
    return f"{results}: released from {whose(earlier)}"


def _end_jobs(earlier: Claim) -> None:
    """Cancel what is left of an earlier run's jobs and return when they are over."""
    name = earlier.get("name")
    until, told = time.monotonic() + ENDING_S, False
    while name:
        jobs = unfinished(name)
        if jobs == []:
            return
        if jobs and not told:
            print(f"Ending {len(jobs)} jobs of an earlier run that was killed.", file=sys.stderr, flush=True)
            told = True
        if jobs:
            ask("scancel", "--name", name)
        if time.monotonic() > until:
            what = "Slurm does not answer" if jobs is None else f"jobs {', '.join(jobs)} do not end"
            raise InputError(f"an earlier run was killed and {what}; run again later")
        time.sleep(LOOK_S)
