"""The one way a step writes its results: whole files, each with a record of how it came to be.

The record of `X` lies beside it as `X.record.json`: digests of the output and of every input, named
parameters, the project's modules that ran, versions, and the circumstances (host, time, memory). Its `chain`
commits to everything of the content below it and to nothing that varies from run to run.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from protloc.atomic import partial_name, remove, sweep, write_text
from protloc.errors import InputError
from protloc.hashing import sha256_path, sha256_value
from protloc.modules import SCRIPTS
from protloc.signals import ends_on_sigterm

SUFFIX = ".record.json"
LIBRARIES = (
    "numpy", "scipy", "pandas", "pyarrow", "sklearn", "skimage", "matplotlib", "torch", "timm", "numba",
    "umap",
)  # fmt: skip
DISTRIBUTIONS = {"sklearn": "scikit-learn", "skimage": "scikit-image", "umap": "umap-learn"}


def record_path(result: Path) -> Path:
    """Where the record of a result lies."""
    return result.with_name(result.name + SUFFIX)


class Outputs(dict[str, Path]):
    """Where to write each named output for now; `run` takes measured facts that vary, such as images/s."""

    def __init__(self, paths: dict[str, Path]) -> None:
        super().__init__(paths)
        self.run: dict[str, Any] = {}


@contextmanager
def recorded(snakemake: Any) -> Iterator[Outputs]:
    """Yield a temporary path for each named output; put them and their records in place when the block ends.

    Whatever is logged goes to the rule's log, warnings to the terminal too. An InputError ends the process
    with its one line and status 1, SIGTERM with status 143; nothing half-written keeps a result's name.
    """
    results = {name: Path(path) for name, path in snakemake.output.items()}
    outputs = Outputs({name: partial_name(path) for name, path in results.items()})
    log_to(Path(snakemake.log[0]))
    for path in results.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
    started, clock = datetime.now(UTC), time.perf_counter()
    try:
        with ends_on_sigterm():
            yield outputs
            facts = _content_facts(snakemake)
            circumstances = _circumstances(started, time.perf_counter() - clock) | outputs.run
            for name, path in results.items():
                _put_in_place(outputs[name], path, facts, circumstances)
    except InputError as error:
        logging.error("%s", error)
        sys.exit(1)
    finally:
        for path in outputs.values():
            remove(path)


def log_to(path: Path) -> None:
    """Send log lines to a file, and warnings and errors to standard error too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    handlers = [logging.FileHandler(path, mode="w"), terminal]
    logging.basicConfig(
        level=logging.INFO, format="%(levelname)s: %(message)s", handlers=handlers, force=True
    )


def _put_in_place(temporary: Path, path: Path, facts: dict, circumstances: dict) -> None:
    """Rename a finished output, and only then write the record that vouches for it."""
    digest = sha256_path(temporary)
    chain = sha256_value([digest, facts])
    record_path(path).unlink(missing_ok=True)
    if (
        path.is_dir()
    ):  # Snakemake makes the folder of a directory() output, and a folder replaces only no folder
        remove(path)
    temporary.replace(path)
    record = {"output": str(path), "sha256": digest, "chain": chain, **facts, "run": circumstances}
    write_text(record_path(path), json.dumps(record, indent=1, default=str) + "\n")


def _content_facts(snakemake: Any) -> dict[str, Any]:
    """What determines the content: rule, wildcards, parameters, inputs with their chains, code, versions."""
    return {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "params": json.loads(json.dumps(dict(snakemake.params.items()), default=str)),
        "inputs": [_input_facts(Path(path)) for path in snakemake.input],
        "modules": _modules_used(),
        "versions": {"python": platform.python_version(), **_versions_used()},
    }


def _input_facts(path: Path) -> dict[str, str]:
    """An input's digest and, where it has a record, the chain that commits to what lies below it."""
    facts = {"path": str(path), "sha256": sha256_path(path)}
    if record_path(path).exists():
        facts["chain"] = json.loads(record_path(path).read_text())["chain"]
    return facts


def _modules_used() -> dict[str, str]:
    """Digest of each of the project's modules that this process imported."""
    files = {Path(file) for module in sys.modules.values() if (file := getattr(module, "__file__", None))}
    own = sorted(file for file in files if file.is_relative_to(SCRIPTS))
    return {file.relative_to(SCRIPTS).as_posix(): sha256_path(file) for file in own}


def _versions_used() -> dict[str, str]:
    return {
        name: metadata.version(DISTRIBUTIONS.get(name, name)) for name in LIBRARIES if name in sys.modules
    }


def _circumstances(started: datetime, seconds: float) -> dict[str, Any]:
    """What varies from run to run; unknown facts are left out."""
    slurm = os.environ.get("SLURM_JOB_ID")
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "peak_memory_mb": round(max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, children) / 1024),
        "host": platform.node(),
        "cores": len(os.sched_getaffinity(0)),
        **_commit(),
        **({"slurm_job": slurm} if slurm else {}),
    }


def _commit() -> dict[str, Any]:
    """The project's commit and whether the working tree differed from it, where git can tell."""
    git = ["git", "-C", str(SCRIPTS)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": commit.stdout.strip(), "dirty": bool(changes.stdout.strip())}
