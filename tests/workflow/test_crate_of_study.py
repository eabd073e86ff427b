"""A whole study as a crate: what roc-validator and the competency questions say of it."""

from __future__ import annotations

import json

import pytest
from conftest import MINI
from crates import Asked, faults
from protloc.audit.crate.write import write_crate
from protloc.audit.study import open_study
from protloc.hashing import sha256_value

R = "results/mini"
DONE = "http://schema.org/CompletedActionStatus"


@pytest.fixture(scope="module")
def crate(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crate") / "mini"
    write_crate(open_study(finished / R), folder)
    return folder


@pytest.fixture(scope="module")
def ask(crate):
    return Asked(crate)


@pytest.fixture(scope="module")
def records(finished):
    return {path: json.loads(path.read_text()) for path in (finished / R).rglob("*.record.json")}


def test_it_has_all_that_its_profile_requires(crate):
    assert faults(crate) == []


def test_every_step_was_run_once_with_its_times_and_memory(ask, records, finished):
    mirror = json.loads((finished / "data/mini/mirror.record.json").read_text())
    runs = {json.dumps([each["facts"], each["run"]]): each["run"] for each in [*records.values(), mirror]}
    times = sorted((run["started"], run["ended"]) for run in runs.values())
    assert sorted(time for _, *time in ask("cq5")) == [list(time) for time in times]
    assert ask("cq6") == {(min(start for start, _ in times), max(end for _, end in times))}
    memory = sorted(amount for _, name, _, amount in ask("cq2") if name == "#quantity/peak_memory_mb")
    assert memory == sorted(run["peak_memory_mb"] for run in runs.values())
    assert {status for _, status in ask("cq7")} == {DONE}
    assert len(ask("cq7")) == len(runs) + 1


def test_software_and_environment_are_those_of_the_records(ask, records):
    assert ask("cq4") == {("Snakefile", "uv.lock", "application/toml")}
    rules = {record["facts"]["rule"] for record in records.values()} | {"simulate"}
    assert {name for _, name, _, _ in ask("cq4_steps")} == rules
    assert rules <= {name for _, name, version in ask("cq9") if version}
    told = [record["facts"] for record in records.values() if record["facts"]["rule"] == "finetune"]
    needed = {needed for _, script, needed, _ in ask("cq10") if script == "scripts/finetune.py"}
    assert f"pkg:pypi/torch@{told[0]['versions']['torch']}" in needed


def test_settings_and_the_projects_own_texts_go_into_a_simulated_study_and_the_report_comes_out(ask, records):
    inputs = {at for (at,) in ask("cq8")}
    files = {at for at in inputs if not at.startswith("#value/")}
    own = {"config/published.csv", "config/backbones.yaml"}
    assert own <= files
    assert all(at.startswith("workflow/report/") for at in files - own)
    assert f"#value/simulation.seed/{sha256_value(MINI['simulation']['seed'])[:16]}" in inputs
    report = next(record for record in records.values() if record["facts"]["rule"] == "report")
    wanted = {report["output"], *(fact["path"] for fact in report["facts"]["inputs"])}
    assert {at for (at,) in ask("cq8_results")} == wanted


def test_a_setting_is_followed_into_the_tools_that_used_it(ask):
    used = {(name, tool, taken): value for name, _, tool, taken, _, value in ask("cq11")}
    seed = MINI["simulation"]["seed"]
    assert used["simulation.seed", "simulate", "simulation.seed"] == seed
    assert used["simulation.seed", "configuration", "study.simulation.seed"] == seed
    assert used["probe.epochs", "probe", "probe.epochs"] == 200
    assert not [
        tool
        for name, tool, _ in used
        if name == "probe.epochs" and tool not in {"probe", "probe_cells", "finetune", "configuration"}
    ]


@pytest.mark.parametrize("question", ["cq1", "cq3"])
def test_what_does_not_apply_is_not_answered(ask, question):
    assert ask(question) == set()
