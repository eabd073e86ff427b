"""What the jobs of a study asked for and what they used, and better numbers for the profile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from protloc.errors import InputError
from protloc.facts import SUFFIX
from protloc.slurm import ask

FIELDS = ("JobID", "ReqMem", "TimelimitRaw", "AllocCPUS", "ElapsedRaw", "TotalCPU", "MaxRSS")
BYTES = {"": 2**-20, "K": 2**-10, "M": 1.0, "G": 2.0**10, "T": 2.0**20}  # in MB
SPARE_MEMORY, SPARE_TIME = 1.3, 2.0  # asked above what was used: nodes differ, data grow
HEAD = ("rule", "jobs", "minutes", "memory, MB", "cores", "GPU memory, MB", "of GPU peak", "images/s")


@dataclass(frozen=True)
class Job:
    """What a job used, and asked for where accounting tells; times in minutes, memory in MB."""

    rule: str
    minutes: float
    memory: float
    cores: float
    asked: dict[str, float]
    run: dict[str, Any]


def efficiency(results: Path) -> str:
    """A table over rules, each cell the largest use of a job over what was asked for, and a proposal."""
    jobs = sorted(_jobs(results), key=lambda job: job.rule)
    if not jobs:
        raise InputError(f"{results}: no records of results here; name the folder of a study")
    rules = {rule: [job for job in jobs if job.rule == rule] for rule in dict.fromkeys(j.rule for j in jobs)}
    rows = [HEAD, *((rule, *_cells(of_rule)) for rule, of_rule in rules.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([*(line.rstrip() for line in lines), "", *_proposal(rules)])


def _jobs(results: Path) -> Iterator[Job]:
    """The jobs whose results are there, each once."""
    beside = results.parent.parent / "data" / results.name
    runs = {}
    for path in [*results.rglob(f"*{SUFFIX}"), *beside.glob(f"*{SUFFIX}")]:
        record = json.loads(path.read_text())
        facts = record["facts"]
        runs[facts["rule"], json.dumps(facts["wildcards"], sort_keys=True)] = record["run"]
    accounts = _accounts({run["slurm"]["job"] for run in runs.values() if "slurm" in run})
    for (rule, _), run in runs.items():
        seconds = max(run["seconds"], 0.001)
        own = {
            "minutes": seconds / 60,
            "memory": run["peak_memory_mb"],
            "cores": run.get("cpu_seconds", 0) / seconds,
            "asked": {},
        }
        yield Job(rule, run=run, **(own | accounts.get(run.get("slurm", {}).get("job"), {})))


def _accounts(jobs: set[str]) -> dict[str, dict[str, Any]]:
    """What accounting says of Slurm jobs, the start-up of Snakemake in them included; empty without it."""
    said = jobs and ask("sacct", "-nP", "-j", ",".join(sorted(jobs)), "--format", ",".join(FIELDS))
    steps: dict[str, list[dict[str, str]]] = {}
    for line in said.splitlines() if said else ():
        row = dict(zip(FIELDS, line.split("|"), strict=True))
        steps.setdefault(row["JobID"].partition(".")[0], []).append(row)
    return {job: _account(*rows) for job, rows in steps.items()}


def _account(whole: dict[str, str], *steps: dict[str, str]) -> dict[str, Any]:
    """Use and request of a job; its steps run side by side, so their memory adds up."""
    seconds = max(float(whole["ElapsedRaw"]), 1.0)
    limit = whole["TimelimitRaw"]
    asked = {"memory": _megabytes(whole["ReqMem"]), "cores": float(whole["AllocCPUS"])}
    return {
        "minutes": seconds / 60,
        "memory": sum(_megabytes(step["MaxRSS"]) for step in steps),
        "cores": _seconds(whole["TotalCPU"]) / seconds,
        "asked": asked | ({"minutes": float(limit)} if limit.isdecimal() else {}),
    }


def _megabytes(text: str) -> float:
    """`16G`, `4000Mc` or a number of bytes, in MB; 0 if it is empty."""
    found = re.match(r"([\d.]+)([KMGT]?)", text)
    return float(found[1]) * BYTES[found[2]] if found else 0.0


def _seconds(text: str) -> float:
    """`1-02:03:04`, `03:04.5` and the like in seconds."""
    days, _, clock = text.rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part or 0)
    return seconds + 86400 * int(days or 0)


def _cells(jobs: list[Job]) -> tuple[str, ...]:
    def use(name: str, digits: int) -> str:
        used = max(getattr(job, name) for job in jobs)
        asked = max((job.asked.get(name, 0) for job in jobs), default=0)
        return f"{used:.{digits}f}" + (f" of {asked:.0f}" if asked else "")

    gpu = [job.run["gpu"]["peak_memory_mb"] for job in jobs if "gpu" in job.run]
    share = [job.run["share_of_peak"] for job in jobs if "gpu" in job.run and "share_of_peak" in job.run]
    rates = [job.run["images_per_second"] for job in jobs if "images_per_second" in job.run]
    return (
        str(len(jobs)),
        use("minutes", 1),
        use("memory", 0),
        use("cores", 1),
        f"{max(gpu):.0f}" if gpu else "",
        f"{max(share):.0%}" if share else "",
        _between(rates),
    )


def _between(values: list[float]) -> str:
    low, high = (f"{edge:.0f}" for edge in (min(values), max(values))) if values else ("", "")
    return low if low == high else f"{low}-{high}"


def _proposal(rules: dict[str, list[Job]]) -> Iterable[str]:
    """Lines for the profile, of rules whose jobs went through Slurm."""
    submitted = {rule: [job for job in jobs if job.asked] for rule, jobs in rules.items()}
    submitted = {rule: jobs for rule, jobs in submitted.items() if jobs}
    if not submitted:
        return ["No job went through Slurm, or its accounting does not answer: nothing to propose."]
    lines = [
        "# For the profile, from these jobs alone; other data and other nodes want other numbers.",
        "set-threads:",
    ]
    lines += [f"  {rule}: {max(1, ceil(_most(jobs, 'cores') - 0.2))}" for rule, jobs in submitted.items()]
    lines += ["set-resources:"]
    for rule, jobs in submitted.items():
        memory = max(1000, _up(SPARE_MEMORY * _most(jobs, "memory"), 500))
        lines += [f"  {rule}:", f"    mem_mb: {memory} * attempt"]
        lines += [f"    runtime: {max(10, _up(SPARE_TIME * _most(jobs, 'minutes'), 10))}"]
    return lines


def _most(jobs: list[Job], name: str) -> float:
    return max(getattr(job, name) for job in jobs)


def _up(value: float, step: int) -> int:
    return ceil(value / step) * step
