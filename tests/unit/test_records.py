from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from protloc.atomic import PARTIAL, atomic, partial_name, sweep
from protloc.audit.rerun import Named as NamedList
from protloc.errors import InputError
from protloc.facts import shown
from protloc.hashing import sha256_path
from protloc.modules import SCRIPTS
from protloc.records import record_path, recorded


def Named(**items):
    """As Snakemake hands inputs, outputs and parameters over: a list whose members have names."""
    return NamedList([], items)


def step(tmp_path: Path, inputs: dict | None = None, **params) -> SimpleNamespace:
    return SimpleNamespace(
        rule="step",
        input=Named(**(inputs or {})),
        output=Named(table=str(tmp_path / "out/table.txt"), folder=str(tmp_path / "out/folder")),
        params=Named(**params),
        wildcards=Named(),
        threads=1,
        log=[str(tmp_path / "logs/step.log")],
    )


def make(job: SimpleNamespace, text: str = "one") -> dict:
    with recorded(job) as outputs:
        outputs["table"].write_text(text)
        outputs["folder"].mkdir()
        (outputs["folder"] / "part").write_text(text)
        outputs.run["images_per_second"] = 12.5
    return json.loads(record_path(Path(job.output.table)).read_text())


def test_a_result_and_its_record_say_the_same(tmp_path):
    record = make(step(tmp_path, lr=0.1, seed=3))
    assert record["sha256"] == sha256_path(tmp_path / "out/table.txt")
    assert record["facts"]["params"] == {"lr": 0.1, "seed": 3}
    assert record["run"]["images_per_second"] == 12.5
    assert record_path(tmp_path / "out/folder").exists()


def test_the_chain_depends_on_content_alone(tmp_path):
    first, again = make(step(tmp_path, seed=3)), make(step(tmp_path, seed=3))
    assert first["chain"] == again["chain"]
    assert make(step(tmp_path, seed=4))["chain"] != first["chain"]
    assert make(step(tmp_path, seed=3), "two")["chain"] != first["chain"]


def test_the_chain_of_an_input_is_part_of_the_chain(tmp_path):
    raw = tmp_path / "raw.txt"
    raw.write_text("pixels")
    job = step(tmp_path, {"raw": str(raw)})
    before = make(job)
    record_path(raw).write_text(json.dumps({"chain": "abc"}))
    after = make(job)
    assert after["facts"]["inputs"][0]["chain"] == "abc"
    assert after["chain"] != before["chain"]


def test_a_step_that_fails_leaves_what_was_there_and_nothing_else(tmp_path):
    make(step(tmp_path))
    before = sha256_path(tmp_path / "out")
    with pytest.raises(RuntimeError), recorded(step(tmp_path)) as outputs:
        outputs["table"].write_text("half")
        raise RuntimeError
    assert sha256_path(tmp_path / "out") == before


def test_an_input_error_is_one_line_and_status_1(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped, recorded(step(tmp_path)):
        raise InputError("a.tif: is empty; fetch it again")
    assert stopped.value.code == 1
    assert capsys.readouterr().err == "ERROR: a.tif: is empty; fetch it again\n"
    where, line = (tmp_path / "logs/step.log").read_text().splitlines()
    assert where.startswith("INFO: process ")
    assert line == "ERROR: a.tif: is empty; fetch it again"


TOLD_TO_END = """
import sys, threading, time
from pathlib import Path
from test_records import recorded, step
from protloc import signals

signals.GRACE_S = 1.0
with recorded(step(Path(sys.argv[1]))) as outputs:
    outputs["table"].write_text("half")
    print("ready", flush=True)
    threading.Thread(target=time.sleep, args=[float(sys.argv[2])]).start()
    time.sleep(60)
"""


@pytest.mark.parametrize("busy", [0, 60])
def test_sigterm_ends_a_step_in_time_with_nothing_half_written(tmp_path, busy):
    words = [sys.executable, "-c", TOLD_TO_END, str(tmp_path), str(busy)]
    running = subprocess.Popen(
        words, cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout.readline() == b"ready\n"
    running.terminate()
    _, said = running.communicate(timeout=10)
    assert running.returncode == 143 and said == b"ERROR: ended by SIGTERM; run again to go on\n"
    assert list((tmp_path / "out").iterdir()) == []


def test_what_a_killed_process_left_is_swept_but_not_what_a_living_one_writes(tmp_path):
    result = tmp_path / "table.parquet"
    killed = (
        "import os, sys; from pathlib import Path; from protloc.atomic import partial_name;"
        "partial_name(Path(sys.argv[1])).write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", killed, str(result)])
    mine = partial_name(result)
    mine.write_text("in the making")
    assert len(list(tmp_path.glob(f"{PARTIAL}*"))) == 2
    sweep(result)
    assert list(tmp_path.glob(f"{PARTIAL}*")) == [mine]
    assert str(os.getpid()) in mine.name


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), atomic(tmp_path / "a") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_project_is_called_the_same_from_any_working_folder(tmp_path, monkeypatch):
    weights = SCRIPTS.parent / "config/weights/dino_demo.safetensors"
    for folder in (SCRIPTS.parent, tmp_path):
        monkeypatch.chdir(folder)
        assert shown(str(weights)) == "<project>/config/weights/dino_demo.safetensors"
    assert shown(str(tmp_path / "results/a.parquet")) == "results/a.parquet"
