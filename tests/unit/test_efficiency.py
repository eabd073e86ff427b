"""What jobs used against what they asked for, from records and from a stand-in for sacct."""

from __future__ import annotations

import json
import os

import pytest
from protloc.cluster.efficiency import efficiency
from protloc.errors import InputError

SACCT = """#!/bin/sh
cat <<END
7|16G|240|8|1200|40:00.500|
7.batch|||8|1200|00:05|180000K
7.0|||8|1200|39:55|4G
END
"""


def record(folder, name: str, rule: str, **run) -> None:
    run = {"seconds": 60.0, "peak_memory_mb": 300, "cpu_seconds": 30.0, "how": {"threads": 1}} | run
    facts = {"rule": rule, "wildcards": {"backbone": name}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.record.json").write_text(json.dumps({"facts": facts, "run": run}))


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A study of three jobs, one of which went through Slurm and used a GPU."""
    folder = tmp_path / "results/small"
    gpu = {"gpu": {"name": "A", "peak_memory_mb": 900}, "share_of_peak": 0.35, "images_per_second": 812.4}
    record(folder, "vit", "embed_network", slurm={"job": "7"}, **gpu)
    record(folder, "cnn", "embed_network", images_per_second=90.0)
    record(tmp_path / "data/small", "mirror", "simulate")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "bin/sacct").write_text(SACCT)
    (tmp_path / "bin/sacct").chmod(0o755)
    return folder


def test_use_is_the_largest_of_a_rule_over_what_was_asked(results):
    lines = [line.split("  ") for line in efficiency(results).splitlines()]
    cells = {line[0]: [cell.strip() for cell in line[1:] if cell.strip()] for line in lines}
    assert cells["embed_network"] == [
        "2", "20.0 of 240", "4272 of 16384", "2.0 of 8", "900", "35%", "90-812"
    ]  # fmt: skip
    assert cells["simulate"] == ["1", "1.0", "300", "0.5"]


def test_better_numbers_have_some_to_spare(results):
    proposal = efficiency(results).partition("set-threads:")[2]
    assert "  embed_network: 2\n" in proposal
    assert "  embed_network:\n    mem_mb: 6000 * attempt\n    runtime: 40" in proposal
    assert "simulate" not in proposal


def test_without_accounting_records_are_all_there_is(results, tmp_path):
    (tmp_path / "bin/sacct").write_text("#!/bin/sh\nexit 1\n")
    assert "nothing to propose" in efficiency(results)
    assert "1.0  " in efficiency(results)


def test_a_folder_without_records_is_named(tmp_path):
    with pytest.raises(InputError, match="no records of results here"):
        efficiency(tmp_path)
