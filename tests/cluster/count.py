"""Snakemake with --dry-run, and the table of jobs that a real run prints before it submits them."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.workflow import Workflow

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from protloc.cluster.jobs import jobs_block  # noqa: E402

schedule = JobScheduler.schedule


def count_first(self: JobScheduler) -> bool:
    """What a dry run prints, after the table."""
    with patch.object(Workflow, "local_exec", False):  # a dry run counts as local
        partitions = ROOT / "profiles/slurm/partitions.yaml"
        print(jobs_block(self.workflow.dag.needrun_jobs(), partitions), flush=True)
    return schedule(self)


with patch.object(JobScheduler, "schedule", count_first):
    main([*sys.argv[1:], "--dry-run"])
