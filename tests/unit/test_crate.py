"""A tiny study, made by real steps, as a crate: judged by roc-validator, asked the competency questions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from crates import Asked, faults, metadata
from protloc.audit.crate.write import write_crate
from protloc.audit.study import Study, open_study
from protloc.errors import InputError
from protloc.facts import chain_of, record_path
from protloc.hashing import sha256_path, sha256_value
from protloc.modules import SCRIPTS, module_hashes
from protloc.records import recorded
from test_records import Named

STUDY = {"study": "tiny", "probe": {"steps": 300, "rate": 0.5, "balance": False}, "note": "none"}
R = "results/tiny"
DONE = "http://schema.org/CompletedActionStatus"


def made(rule: str, inputs: dict, outputs: dict, folders: tuple = (), text: str = "x", **params) -> None:
    """Run a step as Snakemake would: its outputs hold their names, or a file each if they are folders."""
    wildcards = params.pop("wildcards", {})
    script = params.pop("script", None)
    if script:
        params["code"] = module_hashes(script)
    job = SimpleNamespace(
        rule=rule,
        input=Named(**inputs),
        output=Named(**outputs),
        params=Named(**params),
        wildcards=Named(**wildcards),
        threads=1,
        log=[f"{R}/logs/{rule}.log"],
    )
    with recorded(job) as paths:
        for name, path in paths.items():
            if name in folders:
                path.mkdir()
            (path / "part.txt" if name in folders else path).write_text(text + name)


@pytest.fixture
def study(tmp_path, monkeypatch) -> Study:
    """Configuration, two probes with two results each, a report of them; the images come from outside."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/images.csv").write_text("pixels")
    made("configuration", {}, {"config": f"{R}/config.yaml"}, study=STUDY, script="configuration.py")
    for head in ("linear", "mlp"):
        outputs = {"table": f"{R}/{head}/table.csv", "weights": f"{R}/{head}/weights"}
        given = {"probe": STUDY["probe"], "note": "another", "wildcards": {"head": head}}
        made("probe", {"images": "data/images.csv"}, outputs, ("weights",), script="probe.py", **given)
    tables = {"linear": f"{R}/linear/table.csv", "mlp": f"{R}/mlp/table.csv"}
    made("report", tables, {"html": f"{R}/report.html"}, script="report.py")
    return open_study(tmp_path / R)


@pytest.fixture
def crate(study, tmp_path) -> Path:
    write_crate(study, tmp_path / "crate")
    return tmp_path / "crate"


def record(name: str) -> dict:
    return json.loads(Path(f"{R}/{name}.record.json").read_text())


def test_a_crate_has_all_that_its_profile_requires(crate):
    assert faults(crate) == []


def test_a_crate_that_lacks_something_required_is_seen(crate):
    file = crate / "ro-crate-metadata.json"
    document = json.loads(file.read_text())
    for entity in document["@graph"]:
        entity.pop("workExample", None)
    file.write_text(json.dumps(document))
    assert any("workExample" in fault for fault in faults(crate))


def test_a_crate_holds_results_records_and_workflow_as_they_are(crate, study):
    for one in study.records.values():
        copy = crate / one.output
        assert sha256_path(copy) == one.content["sha256"]
        assert record_path(copy).read_bytes() == one.path.read_bytes()
    assert (crate / "Snakefile").read_bytes() == (SCRIPTS.parent / "Snakefile").read_bytes()
    assert (crate / "scripts/protloc/audit/crate/write.py").is_file()
    assert open_study(crate / R).records.keys() == study.records.keys()
    entities = metadata(crate)
    table = entities[f"{R}/linear/table.csv"]
    assert table["sha256"] == sha256_path(crate / f"{R}/linear/table.csv")
    assert (table["contentSize"], table["encodingFormat"]) == ("6", "text/csv")


def test_it_answers_what_ran_when_and_how(crate):
    ask, runs = Asked(crate), {}
    for name in ("config.yaml", "linear/table.csv", "mlp/table.csv", "report.html"):
        runs[f"#run/{sha256_value([record(name)['facts'], record(name)['run']])[:16]}"] = record(name)["run"]
    units = {"seconds": "SEC", "peak_memory_mb": "MebiBYTE", "cores": None}
    assert ask("cq2") == {
        (at, f"#quantity/{name}", unit and f"https://qudt.org/vocab/unit/{unit}", run[name])
        for at, run in runs.items()
        for name, unit in units.items()
    }
    assert ask("cq5") == {(at, run["started"], run["ended"]) for at, run in runs.items()}
    started, ended = ([run[key] for run in runs.values()] for key in ("started", "ended"))
    assert ask("cq6") == {(min(started), max(ended))}
    assert ask("cq7") == {(at, DONE) for at in (*runs, "#run/workflow")}


def test_it_answers_which_environment_and_software(crate):
    ask, lock = Asked(crate), "uv.lock"
    assert ask("cq4") == {("Snakefile", lock, "application/toml")}
    steps = ("configuration", "probe", "report")
    assert ask("cq4_steps") == {(f"Snakefile#step/{name}", name, lock, "application/toml") for name in steps}
    tools = {name: version for at, name, version in ask("cq9") if at.startswith("#tool")}
    assert tools.keys() == set(steps)
    assert all(version.startswith(record("report.html")["run"]["commit"]) for version in tools.values())
    facts = record("linear/table.csv")["facts"]
    needed = {needed: version for _, script, needed, version in ask("cq10") if script == "scripts/probe.py"}
    assert needed.pop("scripts/probe.py") == f"sha256:{facts['code']['probe.py']}"
    assert needed.pop(f"pkg:generic/python@{facts['versions']['python']}")
    libraries = {name: version for name, version in facts["versions"].items() if name != "python"}
    assert needed == {f"pkg:pypi/{name}@{version}": version for name, version in libraries.items()}


def test_it_answers_what_went_in_and_came_out_and_how_settings_were_used(crate):
    ask = Asked(crate)
    inputs = {at for (at,) in ask("cq8")}
    assert {at.split("/")[1] for at in inputs if at.startswith("#value")} == {
        *("study", "probe.steps", "probe.rate", "probe.balance", "note")
    }
    digest = sha256_path(Path("data/images.csv"))
    assert {at for at in inputs if not at.startswith("#value")} == {f"#file/data/images.csv/{digest[:16]}"}
    assert ask("cq8_results") == {
        (f"{R}/{name}",) for name in ("linear/table.csv", "mlp/table.csv", "report.html")
    }
    used = {(name, tool, taken, value) for name, _, tool, taken, _, value in ask("cq11")}
    values = {("probe.steps", 300), ("probe.rate", 0.5), ("probe.balance", False)}
    in_probe = {(name, "probe", name, value) for name, value in values}
    written = {*values, ("study", "tiny"), ("note", "none")}
    in_configuration = {(name, "configuration", f"study.{name}", value) for name, value in written}
    images = {("probe.images", "probe", "images", "data/images.csv")}
    assert used == in_probe | in_configuration | images


@pytest.mark.parametrize("question", ["cq1", "cq3"])
def test_what_does_not_apply_is_not_answered(crate, question):
    assert Asked(crate)(question) == set()


def test_results_of_one_job_are_one_run(crate):
    runs = [each for each in metadata(crate).values() if each["@type"] == "CreateAction"]
    results = {run["name"]: run["result"] for run in runs}
    assert [each["@id"] for each in results["probe mlp"]] == [f"{R}/mlp/table.csv", f"{R}/mlp/weights/"]


def test_what_no_record_says_is_left_out(study, tmp_path):
    for one in study.records.values():
        forged(one.path, one.output, one.content["sha256"], one.facts | {"code": {}}, {})
    Path(f"{R}/report.html.record.json").unlink()
    write_crate(open_study(study.root), tmp_path / "crate")
    assert faults(tmp_path / "crate") == []
    ask = Asked(tmp_path / "crate")
    assert ask("cq2") == ask("cq4") == ask("cq10") == set()
    assert ask("cq6") == {(None, None)}
    assert "#run/workflow" not in {run for run, _ in ask("cq7")}


def test_code_that_has_changed_since_is_named_and_not_shown(study, tmp_path):
    for one in study.records.values():
        forged(one.path, one.output, one.content["sha256"], one.facts | {"code": {"probe.py": "0" * 64}}, {})
    write_crate(open_study(study.root), tmp_path / "crate")
    scripts = {script for _, script, _, _ in Asked(tmp_path / "crate")("cq10")}
    assert scripts == {f"#script/probe.py/{'0' * 16}"}


def forged(path: Path, output: str, digest: str, facts: dict, run: dict) -> None:
    """A record that nobody wrote, whose digests fit."""
    content = {"format": 1, "output": output, "sha256": digest, "chain": chain_of(digest, facts)}
    content |= {"facts": facts, "run": run}
    path.write_text(json.dumps(content | {"seal": sha256_value(content)}))


HOSTILE = [
    "a b.csv",
    "quo\"te's.csv",
    "new\nline.csv",
    "#?%41&<b>.csv",
    "$(touch run);`touch run`.csv",
    "é→.csv",
    "..csv",
]


def test_names_that_would_break_out_are_only_names(study, tmp_path):
    outputs = {f"out{number}": f"{R}/{name}" for number, name in enumerate(HOSTILE)}
    made("$(touch run)\n\"'", {}, outputs, note='"; touch run', wildcards={"../..": "../../x\n"})
    target = tmp_path / "crate"
    write_crate(open_study(study.root), target)
    assert faults(target) == []
    entities = metadata(target)
    for name in HOSTILE:
        assert (target / R / name).is_file()
    ids = [at for at in entities if at.startswith(R)]
    assert len(ids) == 2 * (len(study.records) + len(HOSTILE))
    assert not any(set(at) & set(" \"'<>\n#?$`") for at in ids)
    assert not list(tmp_path.rglob("run"))


def test_text_that_is_none_is_written_as_question_marks(study, tmp_path):
    name, bad = os.fsdecode(b"\xff.csv"), "\udc80"
    made(bad, {}, {"out": f"{R}/{name}"}, note=bad, wildcards={bad: bad})
    one = open_study(study.root).records[f"{R}/{name}"]
    forged(one.path, one.output, one.content["sha256"], one.facts | {"versions": {bad: bad}}, one.run)
    write_crate(open_study(study.root), tmp_path / "crate")
    assert (tmp_path / f"crate/{R}" / name).is_file()
    assert metadata(tmp_path / "crate")[f"{R}/%FF.csv"]["name"] == f"{R}/?.csv"
    assert ("note", "?") in {
        (each.get("name"), each.get("value")) for each in metadata(tmp_path / "crate").values()
    }
    assert Asked(tmp_path / "crate")("cq7")


def test_records_that_name_other_places_stay_in_the_crate(tmp_path, monkeypatch):
    root = tmp_path / "work/inner"
    root.mkdir(parents=True)
    facts = {"rule": "r", "wildcards": {}, "params": {}, "code": {}, "versions": {}}
    for name in ("config.yaml", "table.csv"):
        (root / name).write_text("x")
        output = f"../../escaped/{name}"
        told = facts | {
            "inputs": [{"name": "i", "path": "../../../etc/passwd", "sha256": "0"}],
            "outputs": {"o": output},
        }
        forged(
            record_path(root / name), output, sha256_path(root / name), told, {"started": ["x"], "cores": "2"}
        )
    before = set(tmp_path.rglob("*"))
    write_crate(open_study(root), tmp_path / "deep/er/crate")
    new = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(tmp_path / "deep") for path in new)
    assert faults(tmp_path / "deep/er/crate") == []
    assert not any(path.name == "passwd" for path in new)
    assert not any(".." in at for at in metadata(tmp_path / "deep/er/crate") if not at.startswith("#"))


def test_links_out_of_the_study_are_not_followed(study, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("secret")
    name, folder = f"{R}/mlp/table.csv", Path(f"{R}/linear/weights")
    Path(name).unlink()
    Path(name).symlink_to(secret)
    one = study.records[name]
    forged(one.path, name, sha256_path(secret), one.facts, one.run)
    (folder / "more").symlink_to(tmp_path / "data")
    folder = Path(f"{R}/mlp/weights")
    (folder / "secret").symlink_to(secret)
    two = study.records[folder.as_posix()]
    forged(two.path, two.output, sha256_path(folder), two.facts, two.run)
    write_crate(open_study(study.root), tmp_path / "crate")
    assert not any(path.is_symlink() for path in (tmp_path / "crate").rglob("*"))
    assert not any(
        path.read_bytes() == b"secret" for path in (tmp_path / "crate").rglob("*") if path.is_file()
    )
    assert f"#file/results%2Ftiny%2Fmlp%2Ftable.csv/{sha256_path(secret)[:16]}" in metadata(
        tmp_path / "crate"
    )
    assert faults(tmp_path / "crate") == []


def test_a_result_that_is_gone_is_known_by_its_record(study, tmp_path):
    Path(f"{R}/mlp/table.csv").unlink()
    write_crate(study, tmp_path / "crate")
    assert faults(tmp_path / "crate") == []
    digest = study.records[f"{R}/mlp/table.csv"].content["sha256"]
    gone = metadata(tmp_path / "crate")[f"#file/results%2Ftiny%2Fmlp%2Ftable.csv/{digest[:16]}"]
    assert gone["sha256"] == digest


def spoil_result(study: Study) -> None:
    Path(f"{R}/mlp/table.csv").write_text("better")


def edit_record(study: Study) -> None:
    path = study.records[f"{R}/mlp/table.csv"].path
    path.write_text(path.read_text().replace("another", "nicer"))


def write_nonsense(study: Study) -> None:
    one = study.records[f"{R}/mlp/table.csv"]
    forged(one.path, one.output, one.content["sha256"], one.facts | {"rule": ["x"]}, {})


@pytest.mark.parametrize("spoil", [spoil_result, edit_record, write_nonsense])
def test_a_crate_vouches_for_nothing_that_was_changed(study, tmp_path, spoil):
    spoil(study)
    with pytest.raises(InputError, match=r"table\.csv.*\n?") as error:
        write_crate(open_study(study.root), tmp_path / "crate")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "crate").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".partial")]


def test_a_folder_in_use_is_refused(study, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").write_text("x")
    for place in ("file", "full", f"{R}/crate"):
        with pytest.raises(InputError, match="name a"):
            write_crate(study, tmp_path / place)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["x"]
    (tmp_path / "empty").mkdir()
    write_crate(study, tmp_path / "empty")
    assert (tmp_path / "empty/ro-crate-metadata.json").is_file()
