"""Looks at the machine it runs on and writes what it saw as JSON.

It is started as a script, by Slurm or here, and needs the standard library alone, so that it can tell of an
environment that is broken: torch is tried in a process of its own.

    python probe.py ASK.json ANSWER.json
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import pwd
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

TRIAL_BYTES = 8 * 2**20  # a full quota shows when something is written, not before
SECONDS = 240
TORCH = """
import json, torch
seen = {"version": torch.__version__, "cuda": torch.version.cuda, "available": torch.cuda.is_available()}
if seen["available"]:
    seen["devices"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    ones = torch.ones(64, 64, device="cuda")
    seen["works"] = float((ones @ ones).sum()) == 64.0**3
print(json.dumps(seen))
"""


def look(ask: dict[str, Any]) -> dict[str, Any]:
    """What is seen here of what is asked about: folders with a token, files, a host, torch."""
    seen: dict[str, Any] = {"began": time.time(), "host": host(), "user": user()}
    seen["python"] = platform.python_version()
    seen["cores"] = len(os.sched_getaffinity(0))
    seen["slurm_cores"] = _number(os.environ.get("SLURM_CPUS_PER_TASK"))
    seen["memory"] = memory()
    seen["scratch"] = scratch()
    seen["folders"] = {name: folder(Path(name), ask["token"], ask["mark"]) for name in ask["folders"]}
    seen["files"] = {name: _size(Path(name)) for name in ask["files"]}
    seen["gpus"] = gpus()
    seen["network"] = {"host": ask["host"], "reached": reaches(ask["host"])}
    seen["versions"] = versions()
    seen["torch"] = torch()
    return seen | {"ended": time.time()}


def host() -> str:
    """The name of this machine, on a node the one that Slurm knows it by."""
    return os.environ.get("SLURMD_NODENAME") or platform.node()


def user() -> str:
    """The name that this process runs under, or its number where it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def memory() -> dict[str, int | None]:
    """MB: what Slurm grants, what the control group allows, what is free on the machine."""
    fields = dict(line.split(":") for line in _read(Path("/proc/meminfo")).splitlines())
    available = _number(fields.get("MemAvailable", "").split()[:1])
    return {
        "slurm_mb": _number(os.environ.get("PROTLOC_GRANTED_MB")),
        "limit_mb": _control_group_mb(),
        "available_mb": available and available // 1024,
    }


def _control_group_mb() -> int | None:
    """The least limit of this process's control group and those above it, of either version."""
    limits = []
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        root, name = Path("/sys/fs/cgroup"), "memory.max"
        if "memory" in controllers.split(","):
            root, name = root / "memory", "memory.limit_in_bytes"
        elif controllers:
            continue
        group = root / path.lstrip("/")
        groups = (one for one in (group, *group.parents) if one.is_relative_to(root))
        limits += [_number(_read(one / name).strip()) for one in groups]
    known = [limit // 2**20 for limit in limits if limit is not None and limit < 2**60]
    return min(known, default=None)


def scratch() -> dict[str, Any]:
    """The folder for temporary files: how much room it has, and whether it takes what is written."""
    named = os.environ.get("TMPDIR")
    path = Path(named or tempfile.gettempdir())  # Python would pass over a TMPDIR that it cannot use
    return {"path": str(path), "error": _trial(path), **room(path)}


def folder(path: Path, token: str, mark: str) -> dict[str, Any]:
    """A folder of the study: whether the token lies in it, and whether files can be written and renamed."""
    said = _read(path / f".protloc-doctor-{token}")
    seen = {"token": said == token, "error": _trial(path), **room(path)}
    if seen["error"] is None:
        seen["error"] = _rename(path / f".protloc-doctor-{token}-{mark}", f"{token}-{mark}")
    return seen


def _rename(path: Path, text: str) -> str | None:
    """What goes wrong when a file is replaced by renaming another; the file stays there to be seen."""
    other = path.with_name(f"{path.name}.partial")
    try:
        path.write_text("before")
        other.write_text(text)
        other.replace(path)
        whole = path.read_text() == text and not other.exists()
        return None if whole else "a renamed file is not the new one"
    except OSError as error:
        return os.strerror(error.errno or 0)


def _trial(path: Path) -> str | None:
    """What goes wrong when some megabytes are written in a folder."""
    trial = path / f".protloc-doctor-trial-{platform.node()}-{os.getpid()}"
    try:
        with trial.open("wb") as stream:
            stream.write(bytes(TRIAL_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return os.strerror(error.errno or 0)
    finally:
        with suppress(OSError):
            trial.unlink(missing_ok=True)
    return None


def room(path: Path) -> dict[str, int | None]:
    """Free MB and free inodes of a file system; None where it does not tell."""
    try:
        found = os.statvfs(path)
    except OSError:
        return {"free_mb": None, "free_inodes": None}
    inodes = found.f_favail if found.f_files else None
    return {"free_mb": found.f_bavail * found.f_frsize // 2**20, "free_inodes": inodes}


def gpus() -> dict[str, Any]:
    """What Slurm lets this process see, what the driver lists, and the CUDA version it speaks."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    listed = _run("nvidia-smi", "-L")
    version = _run("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return {
        "visible": None if visible is None else len([part for part in visible.split(",") if part.strip()]),
        "listed": None if listed is None else len(re.findall(r"^GPU \d+:", listed, re.MULTILINE)),
        "driver": version.split("\n")[0].strip() if version else None,
        "driver_cuda": _driver_cuda(),
    }


def _driver_cuda() -> list[int] | None:
    """Major and minor version of the CUDA that the driver speaks; None without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    found = ctypes.c_int()
    if driver.cuDriverGetVersion(ctypes.byref(found)) != 0:
        return None
    return [found.value // 1000, found.value % 1000 // 10]


def reaches(host: str) -> bool:
    """Whether a connection to a host can be opened."""
    try:
        socket.create_connection((host, 443), timeout=3).close()
    except OSError:
        return False
    return True


def versions() -> dict[str, str]:
    """The installed distributions by their normal names."""
    found = ((one.metadata["Name"], one.version) for one in metadata.distributions())
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found if name}


def torch() -> dict[str, Any]:
    """What torch says of itself and of its GPUs, or the last line of its failure."""
    try:
        done = subprocess.run([sys.executable, "-c", TORCH], capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return {"error": f"importing torch takes more than {SECONDS} s"}
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    lines = done.stderr.strip().splitlines() or [f"torch ends with {done.returncode}"]
    return {"error": lines[-1]}


def _run(*words: str) -> str | None:
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _number(text: Any) -> int | None:
    text = "".join(text) if isinstance(text, list) else text
    return int(text) if text and text.isdecimal() else None


def main(ask: str, answer: str) -> None:
    """Write the answer, whole or not at all."""
    seen = look(json.loads(Path(ask).read_text()))
    partial = Path(f"{answer}.partial")
    partial.write_text(json.dumps(seen))
    partial.replace(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
