"""The executor's own reading of accounting, with help."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as plugin
from protloc.cluster import states
from protloc.cluster.states import understand_states


@pytest.fixture
def executor(monkeypatch):
    """A function: what the executor understands of job 7 if accounting and queue say this."""

    def ask(said: dict[str, str] | None, gone: bool):
        async def asked(command, logger):
            return said, 0.1

        async def check(self, active):
            found.append((await plugin.query_job_status("sacct", None))[0])
            for job in active:
                yield job

        found: list = []
        monkeypatch.setattr(plugin, "query_job_status", asked)
        monkeypatch.setattr(plugin.Executor, "check_active_jobs", check)
        monkeypatch.setattr(states, "is_gone", lambda job: gone)
        understand_states()

        async def poll() -> None:
            job = SimpleNamespace(external_jobid="7")
            for _ in range(2):
                assert [one async for one in plugin.Executor.check_active_jobs(None, [job])] == [job]

        asyncio.run(poll())
        return found[-1]

    return ask


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
def test_a_job_that_is_over_is_known_for_such(executor, gone, said, understood):
    assert executor({"7": said}, gone) == {"7": understood}


def test_a_job_that_could_not_be_launched_is_released(executor, monkeypatch):
    asked = []

    def ask(*words: str) -> str:
        asked.append(words)
        return "7 launch failed requeued held\n8 Resources\n" if words[0] == "squeue" else ""

    monkeypatch.setattr(states, "ask", ask)
    executor({"7": "PENDING", "8": "PENDING", "9": "RUNNING"}, gone=False)
    assert next(words for words in asked if words[0] == "scontrol") == ("scontrol", "release", "7")
    assert {words[4] for words in asked if words[0] == "squeue"} == {"7,8"}


def test_no_answer_stays_no_answer(executor):
    assert executor(None, gone=True) is None


def test_a_job_that_the_controller_forgot_has_failed(executor, monkeypatch):
    assert executor({}, gone=True) == {}  # accounting may be late
    monkeypatch.setattr(states, "LOST_S", -1.0)
    assert executor({}, gone=True) == {"7": "FAILED"}
    assert executor({}, gone=False) == {}
