"""What accounting says of jobs, in the words that the executor takes for an end."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

from protloc.slurm import ask, is_gone

COMES_BACK = ("PREEMPTED", "NODE_FAIL")  # with --requeue; not where a site cancels instead
HELD = "launch failed requeued held"  # a node could not start the job; its owner is to release it
LOST_S = 60.0  # accounting may know of a job later than the controller


def understand_states() -> None:
    """From now on the executor knows all jobs that are over for such, and does not wait for them for ever.

    Its version 2.8 looks for `CANCELLED` where accounting says `CANCELLED by 1000`, takes a job that was
    preempted or lost its node for one that comes back, whether it does or not, and waits for accounting to
    learn of a job that a controller has forgotten when it was killed.
    """
    import snakemake_executor_plugin_slurm as plugin

    asked, check = plugin.query_job_status, plugin.Executor.check_active_jobs
    missing: dict[str, float] = {}  # active jobs of which accounting did not know, and since when

    async def checked(self: Any, active: list[Any]) -> AsyncIterator[Any]:
        known = {job.external_jobid: missing.get(job.external_jobid, time.monotonic()) for job in active}
        missing.clear()
        missing.update(known)
        async for job in check(self, active):
            yield job

    async def understood(command: str, logger: Any) -> tuple[dict[str, str] | None, float | None]:
        states, seconds = await asked(command, logger)
        if states is None:
            return states, seconds
        for job in missing.keys() & states.keys():
            missing[job] = time.monotonic()
        release_held(job for job, state in states.items() if state == "PENDING")
        lost = (job for job, since in missing.items() if time.monotonic() - since > LOST_S)
        found = {job: "FAILED" for job in lost if is_gone(job)}
        return found | {job: plain(job, state) for job, state in states.items()}, seconds

    plugin.query_job_status = understood
    plugin.Executor.check_active_jobs = checked


def release_held(jobs: Iterable[str]) -> None:
    """Let jobs start again that Slurm put back and holds, since they could not be launched."""
    waiting = ",".join(jobs)
    words = ("squeue", "--noheader", "--states=PENDING", "--jobs", waiting, "--format=%A %r")
    for line in ((waiting and ask(*words)) or "").splitlines():
        job, _, reason = line.partition(" ")
        if reason == HELD:
            ask("scontrol", "release", job)


def plain(job: str, state: str) -> str:
    """The state in one word; FAILED for a job that was to come back and has left the queue."""
    word = state.partition(" ")[0]
    return "FAILED" if word in COMES_BACK and is_gone(job) else word
