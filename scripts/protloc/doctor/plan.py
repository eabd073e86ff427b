"""What the jobs of a study would ask Slurm for, found by a dry run of Snakemake and told as JSON.

It is a program of its own, since Snakemake prints much and ends the process:

    python -m protloc.doctor.plan PLAN.json SNAKEMAKE-ARGUMENTS...

The commands are made by the executor's own code, so that a probe is submitted as the rules' jobs will be.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

RUNTIME_MIN = 15
SIZES = {"_cores", "_nodes", "disk", "disk_mb", "disk_mib", "mem", "mem_mb", "mem_mib", "runtime", "tmpdir"}
GPUS = re.compile(r"(?:--gpus(?:-per-node|-per-task)?[= ]|gpu)(?::?[a-zA-Z]\w*)?:?(\d+)?")


class Resources(dict):
    """Resources as the executor reads them: keys are attributes too."""

    __getattr__ = dict.__getitem__


def requests(jobs: Iterable[Any], limits: Iterable[Any], settings: Any) -> list[dict[str, Any]]:
    """A request for each partition and way of asking: the most that any of its jobs wants, and the commands.

    Jobs that fit into no partition have "" for one. A partition of the profile that no job goes to is asked
    for one core.
    """
    limits = list(limits)
    groups: dict[str, list[Any]] = {}
    for job in jobs:
        if not job.is_local:
            where = partition_of(job, limits)
            groups.setdefault(json.dumps([where, _spelling(job)], sort_keys=True), []).append(job)
    found = [_request(*json.loads(key), members, settings) for key, members in groups.items()]
    for name in sorted({one.name for one in limits} - {one["partition"] for one in found}):
        found.append(_request(name, {}, [], settings))
    return sorted(found, key=lambda one: one["partition"])


def partition_of(job: Any, limits: list[Any]) -> str | None:
    """The partition that the executor picks for a job; "" if none fits, None where the cluster picks."""
    if named := job.resources.get("slurm_partition"):
        return str(named)
    if not limits:
        return None
    from snakemake_executor_plugin_slurm.partitions import get_best_partition

    return get_best_partition(limits, job, logging.Logger("silent", logging.CRITICAL)) or ""


def gpus_of(resources: Mapping[str, Any]) -> int:
    """How many GPUs a job asks for in any of the spellings: gpu, gres, or an option of sbatch."""
    if count := resources.get("gpu"):
        return int(count)
    said = f"{resources.get('gres', '')} {resources.get('slurm_extra', '')}"
    return max((int(one[1] or 1) for one in GPUS.finditer(said)), default=0)


def _spelling(job: Any) -> dict[str, Any]:
    """What a job asks for beside sizes: GPUs, account, constraint and the like."""
    return {name: value for name, value in job.resources.items() if value and name not in SIZES}


def _request(
    partition: str | None, spelling: Mapping[str, Any], jobs: list[Any], settings: Any
) -> dict[str, Any]:
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command, safe_quote
    from snakemake_executor_plugin_slurm.utils import set_gres_string
    from snakemake_executor_plugin_slurm_jobstep import get_cpu_setting, get_gpu_setting, get_node_setting

    cores = max((job.threads for job in jobs), default=1)
    mem_mb = max((mb for job in jobs if isinstance(mb := job.resources.get("mem_mb"), int)), default=1000)
    resources = Resources(spelling, mem_mb=mem_mb, runtime=RUNTIME_MIN)
    asked = SimpleNamespace(threads=cores, resources=resources)
    account = resources.get("slurm_account")
    parameters = {
        "run_uuid": "protloc-doctor",
        "slurm_logfile": "LOG",
        "comment_str": "protloc doctor",
        "account": f"-A {safe_quote(account)}" if account else "",
        "partition": f"-p {safe_quote(partition)}" if partition else "",
        "workdir": str(Path.cwd()),
    }
    step = (get_cpu_setting(asked, gpus_of(resources) > 0), get_gpu_setting(asked), get_node_setting(asked))
    return {
        "partition": partition,
        "cores": cores,
        "mem_mb": mem_mb,
        "gpus": gpus_of(resources),
        "rules": sorted({job.rule.name for job in jobs}),
        "submit": get_submit_command(asked, parameters, settings=settings) + set_gres_string(asked),
        "step": " ".join(["srun -n1 --cpu-bind=q", *filter(None, step)]),
    }


def main(output: str, *arguments: str) -> None:
    """Write the requests of all jobs of the study, those that are done included."""
    from snakemake.cli import main as snakemake
    from snakemake.cli import parse_args
    from snakemake.scheduling.job_scheduler import JobScheduler
    from snakemake.workflow import Workflow
    from snakemake_executor_plugin_slurm.partitions import read_partition_file
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    _, given = parse_args(arguments)

    def keep(self: JobScheduler) -> bool:
        settings = ExecutorPluginRegistry().get_plugin("slurm").get_settings(given)
        file = settings.partition_config
        limits = read_partition_file(Path(file)) if file else []
        with patch.object(Workflow, "local_exec", False):  # a dry run counts as local
            found = requests(self.workflow.dag.jobs, limits, settings)
        Path(output).write_text(json.dumps(found))
        return True

    with patch.object(JobScheduler, "schedule", keep):
        snakemake([*arguments, "--dry-run", "--forceall", "--quiet", "all"])


if __name__ == "__main__":
    main(*sys.argv[1:])
