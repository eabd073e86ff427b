"""What Slurm says of jobs, where there is a Slurm; None or no claim where it does not answer."""

from __future__ import annotations

import subprocess

TIMEOUT_S = 30


def ask(*words: str) -> str | None:
    """What a command of Slurm prints; None if it fails, does not answer or is not there."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def is_gone(job: str) -> bool:
    """True only if Slurm says that the job neither waits nor runs; no answer is no proof."""
    words = ["squeue", "--noheader", "--jobs", job, "--format=%T"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        return False
    return not done.stdout.strip() if done.returncode == 0 else "Invalid job id" in done.stderr


def unfinished(name: str) -> list[str] | None:
    """Jobs of this name that wait or run, or are being ended; None if Slurm does not answer."""
    said = ask("squeue", "--noheader", "--name", name, "--format=%A")
    return None if said is None else said.split()
