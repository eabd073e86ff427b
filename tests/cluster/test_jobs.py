"""The full study on a cluster: few jobs, each in the right partition. Needs no Slurm."""

from __future__ import annotations

import re

import yaml
from lab import HERE, ROOT, finish, on_slurm

MOST_JOBS = 150
GPU_RULES = {"embed_network", "embed_network_cells", "finetune", "pretrain"}
ROW = re.compile(r"^  (\w+) +(\d+) +(\w+) +([\d]?) +(\d+) +(\d+) +(\d+)$", re.MULTILINE)


def test_the_full_study_is_few_jobs_and_only_networks_ask_for_gpus(tmp_path):
    study = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    (tmp_path / "data").mkdir()
    (tmp_path / study["acquisition"]["labels"]).touch()
    python, _, _, *arguments = on_slurm(tmp_path, study=study)
    said = finish([python, str(HERE / "count.py"), *arguments])
    submitted, here = map(int, re.search(r"(\d+) jobs to submit, (\d+) that run here:", said).groups())
    rows = ROW.findall(said)
    assert sum(int(count) for _, count, *_ in rows) == submitted
    assert submitted + here == int(re.search(r"\ntotal +(\d+)\n", said)[1]) <= MOST_JOBS
    for rule, _, partition, gpus, *_ in rows:
        assert (partition, gpus) == (("gpu", "1") if rule in GPU_RULES else ("cpu", "")), rule


def test_a_dry_run_prints_no_second_table(tmp_path):
    assert "jobs to submit" not in finish(on_slurm(tmp_path, "--dry-run"))
