"""A study through a real Slurm, interrupted once: the same tables, every job where it belongs."""

from __future__ import annotations

import json
import re

import pytest
from lab import TINY, finish, jobs_of, on_slurm, rule_of, tables
from protloc.opencell import ANNOTATIONS

pytestmark = pytest.mark.slow
GPU_RULES = {"embed_network", "finetune"}
LOCAL_RULES = {"configuration", "acquire", "figure_fractions", "published", "index", "report"}


def test_a_killed_and_repeated_run_gives_the_tables_of_a_local_one(ran, local):
    assert tables(ran.folder) == tables(local)
    assert list((ran.folder / "results").rglob(".partial*")) == []
    assert not (ran.folder / "results/tiny/.run.json").exists()


def test_gpu_rules_ran_on_gpu_nodes_and_no_other_did(ran):
    jobs = [job for job in jobs_of(ran.since) if job["NodeList"] != "None assigned"]
    assert {rule_of(job) for job in jobs} >= GPU_RULES
    for job in jobs:
        on_gpu = job["NodeList"].startswith("gpu") and "gres/gpu=1" in job["AllocTRES"]
        on_cpu = job["NodeList"].startswith("cpu") and "gpu" not in job["AllocTRES"]
        assert on_gpu if rule_of(job) in GPU_RULES else on_cpu, job


def test_a_gpu_job_was_given_one_device_and_another_none(ran):
    for record in records(ran):
        slurm = record["run"].get("slurm", {})
        assert ("gpus" in slurm) == (record["facts"]["rule"] in GPU_RULES), record["output"]
        assert slurm.get("gpus", "0").isdecimal()


def test_no_job_was_submitted_for_what_runs_where_snakemake_does(ran):
    assert LOCAL_RULES.isdisjoint(map(rule_of, jobs_of(ran.since)))


def test_no_job_needs_a_network(ran):
    done = {job["JobID"] for job in jobs_of(ran.since) if job["State"] == "COMPLETED"}
    assert done
    assert done <= {witness.name for witness in ran.offline.iterdir()}
    for witness in ran.offline.iterdir():
        assert witness.read_text() == "lo"


def test_the_number_of_jobs_is_told_before_they_are_submitted(ran):
    first = (ran.folder / "killed.log").read_text()
    assert len(re.findall(r"\d+ jobs to submit, \d+ that run here:", first)) == 1
    assert first.index("11 jobs to submit, 16 that run here:") < first.index("submitted with SLURM jobid")
    assert re.search(r"\n  embed_network +1 +gpu +1 +8 +16000 +240\n", first)


def test_of_a_study_on_real_images_an_estimate_is_printed_before_jobs_are_submitted(ran, tmp_path):
    mirror = ran.folder / "data/tiny/mirror"
    study = {name: group for name, group in TINY.items() if name != "simulation"}
    study["acquisition"] = {"mirror": str(mirror), "labels": str(mirror / ANNOTATIONS)}
    said = finish(on_slurm(tmp_path, "--", "results/tiny/splits/protein-single.parquet", study=study))
    before = said[: said.index("submitted with SLURM jobid")]
    assert "All of the study, what is done already included:" in before
    assert re.search(r"\n  fine-tune +\d", before)


def test_a_log_names_its_slurm_job_in_its_first_line(ran):
    for record in records(ran):
        slurm = record["run"].get("slurm")
        if slurm:
            first = (ran.folder / record["run"]["log"]).read_text().splitlines()[0]
            assert first.startswith(f"INFO: Slurm job {slurm['job']}, ")
            assert f"node {slurm['node']}" in first


def test_efficiency_compares_use_with_request(ran):
    from protloc.cluster.efficiency import efficiency

    said = efficiency(ran.folder / "results/tiny")
    assert re.search(r"\nfinetune +1 +\d+\.\d of 1440 +\d+ of 16000 +\d\.\d of 8 ", said)
    proposed = said.partition("set-resources:\n")[2]
    assert "  embed_features:\n    mem_mb: 1000 * attempt\n" in proposed


def records(ran) -> list[dict]:
    return [json.loads(path.read_text()) for path in (ran.folder / "results").rglob("*.record.json")]
