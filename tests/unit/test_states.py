"""The executor's own reading of accounting, with and without help."""

from __future__ import annotations

import asyncio

import pytest
import snakemake_executor_plugin_slurm as plugin
from protloc.cluster import states
from protloc.cluster.states import understand_states


@pytest.mark.parametrize(
    ("gone", "said", "understood"),
    [
        (False, "CANCELLED by 1000", "CANCELLED"),
        (False, "RUNNING", "RUNNING"),
        (False, "PREEMPTED", "PREEMPTED"),
        (True, "PREEMPTED", "FAILED"),
        (True, "NODE_FAIL", "FAILED"),
        (True, "COMPLETED", "COMPLETED"),
    ],
)
def test_a_job_that_is_over_is_known_for_such(gone, said, understood, monkeypatch):
    async def asked(command, logger):
        return {"7": said}, 0.1

    monkeypatch.setattr(plugin, "query_job_status", asked)
    monkeypatch.setattr(states, "is_gone", lambda job: gone)
    understand_states()
    assert asyncio.run(plugin.query_job_status("sacct", None)) == ({"7": understood}, 0.1)


def test_no_answer_stays_no_answer(monkeypatch):
    async def asked(command, logger):
        return None, None

    monkeypatch.setattr(plugin, "query_job_status", asked)
    understand_states()
    assert asyncio.run(plugin.query_job_status("sacct", None)) == (None, None)
