"""What accounting says of jobs, in the words that the executor takes for an end."""

from __future__ import annotations

from typing import Any

from protloc.slurm import is_gone

COMES_BACK = ("PREEMPTED", "NODE_FAIL")  # with --requeue; not where a site cancels instead


def understand_states() -> None:
    """From now on the executor knows all jobs that are over for such, and does not wait for them for ever.

    Its version 2.8 looks for `CANCELLED` where accounting says `CANCELLED by 1000`, and takes a job that was
    preempted or lost its node for one that comes back, whether it does or not.
    """
    import snakemake_executor_plugin_slurm as plugin

    asked = plugin.query_job_status

    async def understood(command: str, logger: Any) -> tuple[dict[str, str] | None, float | None]:
        states, seconds = await asked(command, logger)
        return states and {job: plain(job, state) for job, state in states.items()}, seconds

    plugin.query_job_status = understood


def plain(job: str, state: str) -> str:
    """The state in one word; FAILED for a job that was to come back and has left the queue."""
    word = state.partition(" ")[0]
    return "FAILED" if word in COMES_BACK and is_gone(job) else word
