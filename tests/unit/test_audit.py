"""The audit of a small study whose files are made by real recorded steps."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from protloc.audit.command import audit
from protloc.audit.diff import differences
from protloc.audit.digests import Digests
from protloc.audit.judge import Audit
from protloc.audit.study import open_study, study_of
from protloc.errors import InputError
from protloc.facts import record_path
from protloc.figures.style import sheet
from protloc.hashing import sha256_bytes, sha256_value
from protloc.records import history_path, recorded
from protloc.stamp import read_stamp, stamp
from test_records import Named

R = "results/small"


def run(rule: str, make, inputs: dict, outputs: dict, **params) -> None:
    """A step as Snakemake runs it, in the working folder."""
    job = SimpleNamespace(
        rule=rule,
        input=Named(**inputs),
        output=Named(**outputs),
        params=Named(**params),
        wildcards=Named(),
        threads=1,
        log=[f"{R}/logs/{rule}.log"],
    )
    with recorded(job) as made:
        make(made)


def write_raw(made) -> None:
    """Two raw files, and the table that lists them."""
    rows = []
    for number in range(2):
        content = bytes([number]) * 100
        Path("data/small/raw").mkdir(parents=True, exist_ok=True)
        Path(f"data/small/raw/{number}.tif").write_bytes(content)
        rows.append({"key": f"{number}.tif", "sha256": sha256_bytes(content)})
    pd.DataFrame(rows).to_parquet(made["fovs"])


def draw(made) -> None:
    with sheet(40, [made["svg"], made["png"]], dpi=50) as figure:
        figure.add_subplot().plot([1, 2])


def make_study(lr: float = 0.1) -> None:
    """Configuration, raw files and their table, weights, vectors, a score, a figure."""
    files = {"below": "data/small/raw", "listed_in": f"{R}/fovs.parquet", "name": "key", "sha256": "sha256"}
    config = {"config": f"{R}/config.yaml"}
    run("configuration", lambda made: made["config"].write_text("labels: labels.csv\n"), {}, config)
    Path("labels.csv").write_text("gene\n")
    run("acquire", write_raw, {"labels": "labels.csv"}, {"fovs": f"{R}/fovs.parquet"}, files=files)
    fovs = {"fovs": f"{R}/fovs.parquet"}
    run(
        "pretrain",
        lambda made: made["weights"].write_bytes(b"w" * 50),
        fovs,
        {"weights": f"{R}/own.safetensors"},
    )
    both = fovs | {"weights": f"{R}/own.safetensors"}
    vectors = pd.DataFrame({"id": ["a", "b"], "value": [1.0, 2.0]})
    run(
        "embed",
        lambda made: vectors.to_parquet(made["vectors"]),
        both,
        {"vectors": f"{R}/vectors.parquet"},
        lr=lr,
    )
    run(
        "crops",
        lambda made: np.save(made["pixels"].open("wb"), np.arange(6)),
        fovs,
        {"pixels": f"{R}/pixels.npy"},
    )
    drawn = {"svg": f"{R}/figure.svg", "png": f"{R}/figure.png"}
    run("figure", draw, {"vectors": f"{R}/vectors.parquet"}, drawn)


@pytest.fixture
def small(tmp_path, monkeypatch) -> Path:
    """The working folder of the small study."""
    monkeypatch.chdir(tmp_path)
    make_study()
    return tmp_path


def verdicts(folder: Path) -> dict[str, str]:
    """The verdicts that are not `verified`, by name."""
    study = open_study(folder)
    nodes = Audit(study, Digests(study.root)).all()
    return {
        node.name.removeprefix(f"{R}/"): str(node.verdict)
        for node in nodes.values()
        if node.verdict != "verified"
    }


def flip(path: Path, at: int = -3) -> None:
    """Change one bit and leave size and time as they were."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_untouched_study_is_verified_to_its_sources(small):
    assert verdicts(small / R) == {}
    study = open_study(small / R)
    nodes = Audit(study, Digests(study.root)).all()
    assert nodes["data/small/raw"].reasons == (f"2 files, as {R}/fovs.parquet lists them",)
    assert nodes["labels.csv"].reasons == ("is named by the study's configuration",)


ALL_BELOW_RAW = dict.fromkeys(
    ("fovs.parquet", "own.safetensors", "vectors.parquet", "pixels.npy", "figure.svg", "figure.png"), "stale"
)
ABOVE_VECTORS = {"figure.svg": "stale", "figure.png": "stale"}


@pytest.mark.parametrize(
    ("victim", "name", "below"),
    [
        ("data/small/raw/1.tif", "data/small/raw", ALL_BELOW_RAW),
        ("labels.csv", "labels.csv", ALL_BELOW_RAW),
        (f"{R}/own.safetensors", "own.safetensors", {"vectors.parquet": "stale", **ABOVE_VECTORS}),
        (f"{R}/vectors.parquet", "vectors.parquet", ABOVE_VECTORS),
        (f"{R}/figure.png", "figure.png", {}),
        (f"{R}/figure.svg", "figure.svg", {}),
        (f"{R}/pixels.npy", "pixels.npy", {}),
        (f"{R}/config.yaml", "config.yaml", {}),
    ],
)
@pytest.mark.parametrize("cached", [False, True])
def test_one_bit_is_found_and_what_rests_on_it_marked_and_nothing_else(small, victim, name, below, cached):
    if cached:  # digests are remembered, and times of content are set back
        audit(["--all", str(small / R), "--json"])
    flip(small / victim)
    found = verdicts(small / R)
    if name == "config.yaml":  # it no longer vouches for the label table
        assert found.pop("labels.csv", "orphan") == "orphan"
    assert found == {name: "modified", **below}


def test_a_copy_of_the_results_alone_holds_also_with_a_renamed_file(small, tmp_path_factory, capsys):
    copy = tmp_path_factory.mktemp("elsewhere") / "whatever"
    shutil.copytree(small / R, copy)
    (copy / "vectors.parquet").rename(copy / "mine.parquet")
    assert verdicts(copy) == {"data/small/raw": "not here", "labels.csv": "not here"}
    assert audit([str(copy / "mine.parquet")]) == 0
    assert audit([str(copy / "figure.png")]) == 0
    assert "vectors.parquet [embed]: found by its content as mine.parquet" in capsys.readouterr().out
    flip(copy / "mine.parquet")
    assert verdicts(copy)["vectors.parquet"] == "missing"
    assert verdicts(copy)["mine.parquet"] == "unrecorded"
    assert verdicts(copy)["figure.png"] == "stale"


def forge(path: Path, rechain: bool) -> None:
    """Edit a parameter in a record, and make the record agree with itself."""
    record = json.loads(path.read_text())
    record["facts"]["params"] = {"lr": 9}
    if rechain:
        record["chain"] = sha256_value([record["sha256"], record["facts"]])
        record["seal"] = sha256_value({key: value for key, value in record.items() if key != "seal"})
    path.write_text(json.dumps(record))


def test_a_record_that_was_edited_does_not_follow_from_itself(small):
    forge(small / R / "pixels.npy.record.json", rechain=False)
    assert verdicts(small / R) == {"pixels.npy": "modified"}


def test_a_record_that_was_forged_well_differs_from_what_is_in_the_file(small):
    forge(small / R / "vectors.parquet.record.json", rechain=True)
    assert verdicts(small / R) == {"vectors.parquet": "modified", **ABOVE_VECTORS}


def test_a_forged_record_of_a_file_without_a_stamp_no_longer_matches_its_descendants(small):
    forge(small / R / "own.safetensors.record.json", rechain=True)
    assert verdicts(small / R) == {"vectors.parquet": "stale", **ABOVE_VECTORS}


def test_circumstances_cannot_be_edited_unseen(small):
    path = small / R / "pixels.npy.record.json"
    path.write_text(path.read_text().replace('"host": "', '"host": "not-'))
    assert verdicts(small / R) == {"pixels.npy": "modified"}


def test_what_is_gone_what_no_record_names_and_what_no_source_lists(small):
    (small / R / "pixels.npy").unlink()
    (small / R / "notes.txt").write_text("mine")
    (small / R / "logs/strange.bin").write_text("mine")
    Path("data/stray.csv").write_text("?")
    extra = {"x": f"{R}/x.txt"}
    run("extra", lambda made: made["x"].write_text("x"), {"stray": "data/stray.csv"}, extra)
    assert verdicts(small / R) == {
        "pixels.npy": "missing",
        "notes.txt": "unrecorded",
        "logs/strange.bin": "unrecorded",
        "data/stray.csv": "orphan",
    }


def test_a_result_made_again_makes_stale_what_was_made_from_it_and_its_earlier_record_is_kept(small):
    before = json.loads(record_path(small / R / "own.safetensors").read_text())
    new = {"weights": f"{R}/own.safetensors"}
    run("pretrain", lambda made: made["weights"].write_bytes(b"v"), {"fovs": f"{R}/fovs.parquet"}, new)
    assert verdicts(small / R) == {"vectors.parquet": "stale", **ABOVE_VECTORS}
    (line,) = history_path(small / R / "own.safetensors").read_text().splitlines()
    assert json.loads(line) == before


def test_equal_content_made_in_the_same_way_has_equal_bytes(small):
    results = [path for path in (small / R).iterdir() if path.suffix in {".parquet", ".png", ".svg"}]
    before = {path.name: path.read_bytes() for path in results}
    make_study()
    assert {path.name: path.read_bytes() for path in results} == before
    assert all(b"protloc" in content for content in before.values())


def test_a_stamp_is_read_as_it_was_written_and_tables_are_what_they_were(small):
    assert read_stamp(small / R / "figure.png")["rule"] == "figure"
    assert read_stamp(small / R / "figure.svg")["rule"] == "figure"
    table = small / "table.parquet"
    frame = pd.DataFrame({"x": range(100_000)})
    frame.to_parquet(table, row_group_size=1000)
    facts = {"text": '<"é&\n>' * 100}
    stamp(table, facts)
    assert read_stamp(table) == facts
    pd.testing.assert_frame_equal(pd.read_parquet(table), frame)


def test_diff_names_the_first_ancestor_and_the_parameter(small, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    monkeypatch.chdir(other)
    make_study(lr=0.2)
    lines = list(differences(small / R / "figure.png", other / R / "figure.png"))
    assert lines == [f"they begin to differ at {R}/vectors.parquet", "  params.lr: 0.1 / 0.2"]
    assert list(differences(small / R / "fovs.parquet", other / R / "fovs.parquet")) == []


def test_why_tells_what_snakemake_does_not_see(small, capsys):
    flip(small / R / "own.safetensors")
    assert audit(["why", str(small / R / "figure.png")]) == 1
    said = capsys.readouterr().out
    assert f"{R}/figure.png is stale" in said
    assert "its content is not what its record says. Snakemake would not notice" in said
    assert "to make it true again: snakemake --forcerun pretrain" in said
    assert "2 sources: data/small/raw, labels.csv" in said


def test_answers_for_programs_and_exit_codes(small, capsys):
    assert audit([str(small / R / "figure.png"), "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["verified"] is True
    assert {"data/small/raw", f"{R}/vectors.parquet"} < {file["name"] for file in answer["files"]}
    assert f"{R}/pixels.npy" not in {file["name"] for file in answer["files"]}
    flip(small / R / "vectors.parquet")
    assert audit([str(small / R / "figure.png"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["verified"] is False
    with pytest.raises(InputError, match="lies in no folder of results"):
        audit([str(small / "labels.csv")])


def test_the_digest_at_the_edge_of_a_figure_finds_it_and_a_lone_file_tells_what_its_stamp_says(small, capsys):
    digest = sha256_value(read_stamp(small / R / "figure.png"))[:10]
    assert audit([digest]) == 0
    assert "[figure]" in capsys.readouterr().out.splitlines()[0]
    shutil.copy(small / R / "vectors.parquet", small / "lone.parquet")
    with pytest.raises(InputError, match=f"made by embed as {R}/vectors.parquet"):
        audit([str(small / "lone.parquet")])


HOSTILE = ["sp ace.txt", "quo'te\".txt", "new\nline.txt", "\x1b[31mred.txt", "$(touch hacked).txt"]


def test_hostile_names_are_shown_and_do_nothing(small, capsys):
    for name in HOSTILE:
        (small / R / name).write_text("x")
    assert audit(["--all", str(small / R)]) == 1
    said = capsys.readouterr().out
    assert said.count("no record names it") == len(HOSTILE)
    assert "\x1b[31mred" not in said and "new\\nline.txt" in said
    assert not (small / "hacked").exists()


def test_a_link_out_of_the_folder_is_not_followed(small):
    (small / "secret").write_text("secret")
    (small / R / "link.txt").symlink_to(small / "secret")
    (small / R / "pixels.npy").unlink()
    (small / R / "pixels.npy").symlink_to(small / "secret")
    assert verdicts(small / R) == {"link.txt": "unrecorded", "pixels.npy": "modified"}


@pytest.mark.parametrize(
    "path", ["../../secret", "/etc/hostname", "results/../../secret", "<project>/../secret"]
)
def test_an_input_that_leads_out_of_the_folders_is_not_read(small, path):
    (small.parent / "secret").write_text("secret")
    record = record_path(small / R / "pixels.npy")
    content = json.loads(record.read_text())
    content["facts"]["inputs"][0] = {"name": "x", "path": path, "sha256": "0" * 64}
    content["chain"] = sha256_value([content["sha256"], content["facts"]])
    content["seal"] = sha256_value({key: value for key, value in content.items() if key != "seal"})
    record.write_text(json.dumps(content))
    study = study_of(small / R / "pixels.npy")
    assert study.located(path) is None
    node = Audit(study, Digests(study.root)).node(path)
    assert node.file is None and node.verdict in {"not here", "missing"}
    with pytest.raises(InputError):
        audit(["replay", str(small / R / "pixels.npy")])


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"output": 3}', "\xff", '{"output": "a", "facts": {"inputs": 1}}']
)
def test_a_record_that_cannot_be_read_is_a_verdict_not_a_crash(small, text):
    (small / R / "pixels.npy.record.json").write_text(text)
    assert verdicts(small / R) == {"pixels.npy": "modified"}


def test_records_that_name_each_other_as_inputs_end(small):
    for name, other in (("pixels.npy", "own.safetensors"), ("own.safetensors", "pixels.npy")):
        record = record_path(small / R / name)
        content = json.loads(record.read_text())
        content["facts"]["inputs"] = [{"name": "x", "path": f"{R}/{other}", "sha256": "0", "chain": "0"}]
        content["chain"] = sha256_value([content["sha256"], content["facts"]])
        content["seal"] = sha256_value({key: value for key, value in content.items() if key != "seal"})
        record.write_text(json.dumps(content))
    assert verdicts(small / R)["pixels.npy"] == "stale"


def reseal(path: Path, change) -> None:
    """Change what a record says, and make it agree with itself."""
    content = json.loads(path.read_text())
    change(content)
    content["chain"] = sha256_value([content["sha256"], content["facts"]])
    content["seal"] = sha256_value({key: value for key, value in content.items() if key != "seal"})
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
def test_an_input_whose_name_no_file_can_have_is_no_crash(small, path):
    def name_it(content):
        content["facts"]["inputs"][0] = {"name": "x", "path": path, "sha256": "0" * 64}

    reseal(small / R / "pixels.npy.record.json", name_it)
    assert verdicts(small / R) == {path: "not here"}
    for question in ([], ["why"]):
        audit([*question, str(small / R / "pixels.npy")])


@pytest.mark.parametrize("key", ["rule", "params", "outputs", "code", "versions", "wildcards"])
def test_facts_of_the_wrong_kind_are_a_verdict(small, key):
    reseal(small / R / "pixels.npy.record.json", lambda content: content["facts"].update({key: [1]}))
    assert verdicts(small / R) == {"pixels.npy": "modified"}


def test_a_listing_of_the_wrong_kind_is_no_crash(small):
    files = {"below": 1, "listed_in": [], "name": "key"}
    reseal(
        small / R / "fovs.parquet.record.json", lambda content: content["facts"]["params"].update(files=files)
    )
    assert verdicts(small / R)["fovs.parquet"] == "modified"


def test_a_record_that_lies_beside_another_result_is_named(small):
    shutil.copy(small / R / "pixels.npy.record.json", small / R / "other.npy.record.json")
    assert verdicts(small / R) == {"other.npy.record.json": "orphan"}


def test_a_step_whose_earlier_record_is_nonsense_keeps_it_and_goes_on(small):
    (small / R / "pixels.npy.record.json").write_bytes(b"\xff{")
    make_study()
    assert verdicts(small / R) == {}
    assert "unreadable" in history_path(small / R / "pixels.npy").read_text()


def test_a_lone_file_that_cannot_be_read_is_one_line(small):
    (small / "lone.parquet").write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(InputError, match="lies in no folder of results"):
        audit([str(small / "lone.parquet")])
