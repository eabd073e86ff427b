"""Files that say who is at work on something: made by one process alone, left behind by none that lives.

They hold on shared file systems: a hard link is made once, whoever tries, also where locks of the system
do not reach other nodes.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from protloc.atomic import partial_name
from protloc.slurm import is_gone

Claim = dict[str, Any]


def this_process(**more: Any) -> Claim:
    """The claim of this process: host, number, when it was born, its Slurm job if it is one."""
    process = os.getpid()
    job = os.environ.get("SLURM_JOB_ID")
    return {"host": platform.node(), "process": process, "born": _born(process), "job": job, **more}


def take(path: Path, mine: Claim, bury: Callable[[Claim], None] = lambda claim: None) -> Claim | None:
    """None once `mine` stands in the file; the claim of another who still lives, if one is there.

    A claim whose process is over goes to `bury` and is replaced.
    """
    while True:
        other = read(path)
        if other is None:
            if _create(path, mine):
                return None
            continue
        if not is_over(other):
            return other
        bury(other)
        if (busy := _remove(path, other)) is not None:
            return busy


def release(path: Path, mine: Claim) -> None:
    """Delete the file if `mine` stands in it."""
    if read(path) == mine:
        path.unlink(missing_ok=True)


def read(path: Path) -> Claim | None:
    """The claim in the file, or None where there is no file."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def is_over(claim: Claim) -> bool:
    """True only if the claim's process is known to be over.

    On this host its number and birth tell. Elsewhere Slurm is asked; a job that is this one was started
    again, so its earlier start is over. A process elsewhere that is no job cannot be known to be over.
    """
    if claim["host"] == platform.node():
        return _born(claim["process"]) != claim["born"]
    job = claim["job"]
    return job is not None and (job == os.environ.get("SLURM_JOB_ID") or is_gone(job))


def whose(claim: Claim) -> str:
    """A claim in words."""
    job = f", Slurm job {claim['job']}" if claim["job"] else ""
    return f"process {claim['process']} on {claim['host']}{job}"


def _born(process: int) -> str | None:
    """When a process of this host started, in ticks since which boot; None if it is over."""
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None if state in "ZX" else f"{boot}:{fields[18]}"


def _create(path: Path, claim: Claim) -> bool:
    """True if the file was not there, and is now; its content comes with it."""
    temporary = partial_name(path)
    temporary.write_text(json.dumps(claim))
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _remove(path: Path, claim: Claim) -> Claim | None:
    """Delete the file if this claim still stands in it; the claim of another who is about to do so, if any.

    One at a time: who looked earlier and acts later would delete the claim of somebody who was quicker.
    """
    guard = path.with_name(f"{path.name}.guard")
    if not _create(guard, this_process()):
        other = read(guard)
        if other is not None and is_over(other):  # it died between two system calls
            guard.unlink(missing_ok=True)
        return other
    if read(path) == claim:
        path.unlink()
    guard.unlink()
    return None
