"""What records cost a study, and how fast an audit is. Run by `make bench`; needs a finished demo.

Recording: for every job of results/demo, what `recorded` does beside the step's own work, timed by itself and
divided by the time of all steps. Auditing: 500 results of 4 MB, read afresh and found unchanged.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

RESULTS, BYTES = 500, 4_000_000


def recording() -> None:
    """Print the share of the demo's time that its records cost."""
    from protloc.audit.rerun import job_of
    from protloc.audit.study import open_study
    from protloc.circumstances import Clock, _project
    from protloc.facts import facts_of
    from protloc.hashing import sha256_path
    from protloc.stamp import stamp

    study = open_study(Path("results/demo"))
    jobs = {str(record.facts["outputs"]): record for record in study.records.values()}
    cost = work = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for record in jobs.values():
            job = job_of(record.facts, record.run, str(Path.cwd()))
            copies = [shutil.copy(name, folder) for name in job.output if Path(name).is_file()]
            started = time.perf_counter()
            facts = facts_of(job)
            for copy in map(Path, copies):
                stamp(copy, facts)
                sha256_path(copy)
            _project.cache_clear()  # each job is a process of its own
            Clock().circumstances(facts["code"])
            cost += time.perf_counter() - started
            work += record.run["seconds"]
    print(f"{len(jobs)} jobs of the demo: {cost:.1f} s of recording, {work:.0f} s of work: {cost / work:.1%}")


def auditing() -> None:
    """Print how fast an audit reads, and how long it takes when nothing has changed."""
    from protloc.records import recorded

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number in range(RESULTS):
            before = f"results/big/{number - 1}.npy"
            job = SimpleNamespace(
                rule="step",
                input=named({"before": before} if number else {}),
                output=named({"it": f"results/big/{number}.npy"}),
                params=named({}),
                wildcards=named({}),
                threads=1,
                log=["results/big/logs/x.log"],
            )
            with recorded(job) as outputs:
                outputs["it"].write_bytes(os.urandom(BYTES))
        for words, what in ((["--rehash"], "read afresh"), ([], "unchanged"), ([], "unchanged again")):
            started = time.perf_counter()
            command = [sys.executable, "-m", "protloc.cli", "audit", "--all", *words, "results/big"]
            subprocess.run(command, check=True)
            print(f"{RESULTS} results, {what}: {time.perf_counter() - started:.1f} s", flush=True)
        print(f"hashing alone: {hashing(Path('results/big')):.2f} GB/s and core")


def hashing(folder: Path) -> float:
    """GB of the files of a folder that a core hashes in a second, all cores at work."""
    from protloc.audit.digests import Digests

    started = time.perf_counter()
    Digests(folder, rehash=True).prepare(folder.glob("*.npy"))
    return RESULTS * BYTES / 1e9 / (time.perf_counter() - started) / len(os.sched_getaffinity(0))


def named(values: dict[str, str]) -> object:
    """As Snakemake hands them over."""
    from protloc.audit.rerun import Named

    return Named([], values)


if __name__ == "__main__":
    recording()
    auditing()
