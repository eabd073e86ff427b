"""The circumstances of a step: what varies from run to run. What is unknown is left out."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from protloc.hashing import sha256_bytes, sha256_path
from protloc.modules import SCRIPTS, library_versions, own_modules

SLURM = {
    "job": "SLURM_JOB_ID",
    "step": "SLURM_STEP_ID",
    "partition": "SLURM_JOB_PARTITION",
    "node": "SLURMD_NODENAME",
    "gpus": "SLURM_STEP_GPUS",
    "restarts": "SLURM_RESTART_COUNT",
}
LOCK = SCRIPTS.parent / "uv.lock"


class Clock:
    """Measures a step from its making on."""

    def __init__(self) -> None:
        self._started, self._clock = datetime.now(UTC), time.perf_counter()

    def circumstances(self, code: dict[str, str]) -> dict[str, Any]:
        """When, where and with what the step ran until now; `code` are the modules that it was to import."""
        own = own_modules()
        undeclared = {name: sha256_path(file) for name, file in own.items() if name not in code}
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return {
            "started": self._started.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - self._clock, 3),
            "cpu_seconds": round(sum(one.ru_utime + one.ru_stime for one in used), 3),
            "peak_memory_mb": round(max(one.ru_maxrss for one in used) / 1024),
            "host": platform.node(),
            "system": platform.platform(),
            "cores": len(os.sched_getaffinity(0)),
            **_slurm(),
            **_torch(),
            **_project(),
            "imported": library_versions(own, loaded=True),
            **({"undeclared": undeclared} if code and undeclared else {}),
        }


def place() -> str:
    """Where this process runs, for the first line of a log: the Slurm job if it is one, else the host."""
    slurm = _slurm().get("slurm")
    if slurm is None:
        return f"process {os.getpid()} on {platform.node()}"
    return "Slurm " + ", ".join(f"{name} {value}" for name, value in slurm.items())


def _slurm() -> dict[str, Any]:
    found = {name: os.environ[variable] for name, variable in SLURM.items() if variable in os.environ}
    return {"slurm": found} if found else {}


def _torch() -> dict[str, Any]:
    """Threads and flags of determinism, and the GPU, of a step that used torch."""
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    facts: dict[str, Any] = {
        "determinism": {
            "threads": torch.get_num_threads(),
            "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
        }
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        memory = round(torch.cuda.max_memory_allocated() / 2**20)
        facts["gpu"] = {"name": torch.cuda.get_device_name(), "peak_memory_mb": memory, **_driver()}
    return facts


def _driver() -> dict[str, str]:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"driver": said.split("\n")[0].strip()}


@cache
def _project() -> dict[str, str]:
    """Commit, digest of what is not committed, digest of the lock: where git and the files can tell."""
    facts = {"lock": sha256_path(LOCK)} if LOCK.is_file() else {}
    git = ["git", "-C", str(SCRIPTS.parent)]
    try:
        commit, status, changes = (
            subprocess.run([*git, *words], capture_output=True, check=True).stdout
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain"], ["diff", "HEAD", "--binary"])
        )
    except (OSError, subprocess.CalledProcessError):
        return facts
    facts["commit"] = commit.decode().strip()
    return facts | ({"uncommitted": sha256_bytes(status + changes)} if status else {})
