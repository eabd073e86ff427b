"""The spellings of a GPU that profiles/slurm names all lead to one device on a GPU node."""

from __future__ import annotations

import sys

import pytest
from lab import QUICK, ROOT, finish, jobs_of, rule_of

SPELLINGS = {
    "gpus": [],
    "gres": ["gpu=0", "gres=gpu:1", "slurm_partition=gpu"],
    "per_node": ["gpu=0", "slurm_extra='--gpus-per-node=1'", "slurm_partition=gpu"],
}
RULE = """
rule {name}:
    output:
        "{name}.txt",
    resources:
        gpu=1,
    shell:
        "echo $CUDA_VISIBLE_DEVICES > {{output}}"

"""


@pytest.mark.slow
def test_each_spelling_gives_one_device(cluster, tmp_path):
    rules = "".join(RULE.format(name=name) for name in SPELLINGS)
    everything = [f"{name}.txt" for name in SPELLINGS]
    (tmp_path / "Snakefile").write_text(f"rule all:\n    input: {everything}\n{rules}")
    asked = [f"{name}:{need}" for name, needs in SPELLINGS.items() for need in needs]
    where = ["--snakefile", str(tmp_path / "Snakefile"), "--directory", str(tmp_path)]
    profile = ["--profile", str(ROOT / "profiles/slurm"), *QUICK, "--set-resources", *asked]
    finish([sys.executable, "-m", "snakemake", *where, *profile])
    for name in SPELLINGS:
        assert (tmp_path / f"{name}.txt").read_text().strip() in ("0", "1"), name
    mine = [job for job in jobs_of("now-5minutes") if rule_of(job) in SPELLINGS]
    assert {job["Partition"] for job in mine} == {"gpu"}
    assert all("gres/gpu=1" in job["AllocTRES"] for job in mine)
