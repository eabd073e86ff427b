"""How many jobs a run is about to submit, per rule and partition."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

COLUMNS = ("rule", "jobs", "partition", "gpu", "threads", "mem_mb", "runtime")


def jobs_block(jobs: Iterable[Any], partitions: Path | None) -> str:
    """A short table of Snakemake's jobs, those that run here summed up in its first line.

    `partitions` is the file of limits by which the executor picks a partition; its own code is asked here.
    """
    jobs = list(jobs)
    submitted = [job for job in jobs if not job.is_local]
    counts = Counter(_needs(job, _limits(partitions)) for job in submitted)
    rows = [COLUMNS, *((rule, str(count), *needs) for (rule, *needs), count in sorted(counts.items()))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    head = f"{len(submitted)} jobs to submit, {len(jobs) - len(submitted)} that run here:"
    return "\n  ".join([head, *(line.rstrip() for line in lines)])


def slurm_name(workflow: Any) -> str | None:
    """What the jobs of a run that has just started are called in Slurm; None where it submits none."""
    return getattr(workflow.scheduler._executor, "run_uuid", None)


def _needs(job: Any, limits: list[Any]) -> tuple[str, ...]:
    resources = job.resources
    asked = (resources.get(name, "") for name in ("gpu", "_cores", "mem_mb", "runtime"))
    return (job.rule.name, _partition(job, limits), *(str(value) for value in asked))


def _limits(partitions: Path | None) -> list[Any]:
    if partitions is None:
        return []
    from snakemake_executor_plugin_slurm.partitions import read_partition_file

    return read_partition_file(partitions)


def _partition(job: Any, limits: list[Any]) -> str:
    if named := job.resources.get("slurm_partition"):
        return named
    if not limits:
        return "(default)"
    from snakemake_executor_plugin_slurm.partitions import get_best_partition

    silent = logging.Logger("silent", logging.CRITICAL)
    return get_best_partition(limits, job, silent) or "(none fits)"
