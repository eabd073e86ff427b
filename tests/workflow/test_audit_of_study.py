"""The audit on real studies: what Snakemake does not see, steps run again, numbers followed to pixels."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from conftest import ROOT, mini
from protloc.audit.command import audit
from protloc.crops import open_crops
from protloc.cut import cut
from protloc.tables import read_table

RESULTS = Path("results/mini")
PARTS = ("Snakefile", "config", "envs", "profiles", "scripts", "workflow")
LIGHT = mini(embedding={"backbones": ["handmade", "majority"]}, cells=None, finetune=None)


class Project:
    """A copy of the project that may be edited, and a finished study in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, root / part)
        self.configure()

    def configure(self, **changes) -> None:
        (self.root / "study.yaml").write_text(yaml.safe_dump(LIGHT | changes))

    def snakemake(self, *words: str) -> str:
        """What a run prints; it must end well."""
        command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "2", *words]
        environment = os.environ | {"PYTHONPATH": str(self.root / "scripts"), "PYTHONUNBUFFERED": "1"}
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def to_do(self) -> dict[str, int]:
        """The jobs that a run would do, by rule."""
        said = self.snakemake("-n")
        if "Nothing to be done" in said:
            return {}
        table = re.search(r"^job +count\n-.*\n((?:\w+ +\d+\n)+)total", said, re.MULTILINE)[1]
        return {rule: int(count) for rule, count in (line.split() for line in table.splitlines())}

    def verdicts(self) -> dict[str, str]:
        """The verdicts that are not `verified`, by name."""
        protloc = [sys.executable, "-m", "protloc.cli", "audit", "--all", "--json"]
        done = self._run(protloc)
        (answer,) = json.loads(done.stdout)
        bad = {file["name"]: file["verdict"] for file in answer["files"] if file["verdict"] != "verified"}
        assert done.returncode == bool(bad)
        return {name.removeprefix(f"{RESULTS}/"): verdict for name, verdict in bad.items()}

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(self.root / "scripts"), "PYTHONUNBUFFERED": "1"}
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.run(command, cwd=self.root, env=environment, text=True, **both)


@pytest.fixture(scope="module")
def finished_project(tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"))
    project.snakemake()
    return project


@pytest.fixture
def project(finished_project, tmp_path) -> Project:
    """The finished project; what a test changes is put back, times and all."""
    shutil.copytree(finished_project.root, tmp_path / "kept", symlinks=True)
    yield finished_project
    for path in (tmp_path / "kept").rglob("*"):
        place = finished_project.root / path.relative_to(tmp_path / "kept")
        if path.is_file() and not (place.is_file() and _same(path, place)):
            shutil.copy2(path, place)


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_mtime_ns == other.stat().st_mtime_ns and one.read_bytes() == other.read_bytes()


END = {"report": 1, "audit": 1, "all": 1}
CHARTS = ("fractions", "strategies", "classes", "confusion", "shortcuts")
PAGE = {"published": 1, "tables": 1, "index": 1}
AFTER_SCORES = {f"figure_{chart}": 1 for chart in CHARTS} | {"overview": 1} | PAGE | END
CSV = ("metrics", "summary", "comparisons", "enough", "published", "dictionary")


def set_back(path: Path, change) -> None:
    """Change a file and leave its time as it was, as `rsync -t` does."""
    before = path.stat()
    change(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def add_comment(path: Path) -> None:
    path.write_text(path.read_text() + "# another version\n")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def test_nothing_is_to_be_done_and_everything_is_verified(project):
    assert project.to_do() == {}
    assert project.verdicts() == {}


def test_an_edited_helper_reruns_the_steps_that_import_it_and_what_follows(project):
    add_comment(project.root / "scripts/protloc/evaluate/f1.py")
    assert project.to_do() == {"evaluate": 1, **AFTER_SCORES}
    project.snakemake()
    assert project.to_do() == {} and project.verdicts() == {}


def test_two_values_that_are_swapped_rerun_their_step(project):
    figures = LIGHT["figures"] | {"queries": 2, "neighbours": 3}
    project.configure(figures=figures)
    project.snakemake()
    project.configure(figures=figures | {"queries": 3, "neighbours": 2})
    assert project.to_do() == {"configuration": 1, "figure_neighbours": 1, "index": 1, **END}


def test_a_final_result_that_is_overwritten_is_named(project):
    flip(project.root / RESULTS / "summary.parquet")
    of_summary = [chart for chart in CHARTS if chart != "classes"]  # these are of metrics.parquet
    below = [f"figures/{chart}.{suffix}" for chart in of_summary for suffix in ("svg", "png", "csv")]
    below += [f"tables/{name}.csv" for name in CSV]
    below += ["published.parquet", "sources.bib", "index.html"]
    below += ["figures/overview.html", "report.html", "audit.html", "audit.json"]
    stale = dict.fromkeys(below, "stale")
    assert project.verdicts() == {"summary.parquet": "modified", **stale}
    assert "evaluate" not in project.to_do()


def test_an_intermediate_result_that_is_overwritten_with_its_time_kept_is_named(project):
    set_back(project.root / RESULTS / "embeddings/fov/majority.parquet", flip)
    assert project.to_do() == {}
    found = project.verdicts()
    assert found.pop("embeddings/fov/majority.parquet") == "modified"
    assert found.keys() >= {
        "runs/fov/logistic/majority/predictions.parquet",
        "metrics.parquet",
        "report.html",
    }
    assert set(found.values()) == {"stale"}
    assert not found.keys() & {"runs/fov/logistic/handmade/predictions.parquet", "splits/fov-single.parquet"}


def test_a_script_that_is_edited_with_an_old_time_reruns(project):
    set_back(project.root / "scripts/figure_fractions.py", add_comment)
    assert project.to_do() == {"figure_fractions": 1, **END}


def test_one_value_that_is_changed_reruns_its_step(project):
    project.configure(figures=LIGHT["figures"] | {"bootstrap_draws": 201})
    assert project.to_do() == {"configuration": 1, "evaluate": 1, **AFTER_SCORES}


KINDS_OF_PARAMETERS = """
import sys
from pathlib import Path
from snakemake.api import ConfigSettings, OutputSettings, ResourceSettings, SnakemakeApi

with SnakemakeApi(OutputSettings(verbose=False)) as api:
    settings = {"resource_settings": ResourceSettings(cores=1)}
    settings["config_settings"] = ConfigSettings(configfiles=[Path(sys.argv[2])])
    study = api.workflow(snakefile=Path(sys.argv[1]), **settings)
    study.dag()
    for rule in study._workflow.rules:
        fixed = [value for value in rule.params if not callable(value) and value is not None]
        print(rule.name, *(type(value).__name__ for value in fixed))
"""


def test_no_two_parameters_of_a_rule_could_be_swapped_unseen():
    """Snakemake compares values without their names: outside of a dict, a rule has one of a kind at most."""
    words = [sys.executable, "-c", KINDS_OF_PARAMETERS, ROOT / "Snakefile", ROOT / "config/paper.yaml"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    rules = [line.split() for line in done.stdout.splitlines()]
    assert len(rules) > 20, done.stderr
    for name, *kinds in rules:
        plain = [kind for kind in kinds if kind != "dict"]
        assert len(plain) == len(set(plain)), name


REPLAYED = (
    "embeddings/fov/vit_untrained.parquet",
    "runs/fov/logistic/handmade/predictions.parquet",
    "figures/fractions.png",
)


@pytest.mark.slow
@pytest.mark.parametrize("result", REPLAYED)
def test_a_step_that_is_replayed_gives_the_same_bytes(finished, result, capsys):
    assert audit(["replay", str(finished / RESULTS / result)]) == 0
    assert f"{RESULTS / result}: the same bytes" in capsys.readouterr().out


def test_a_replay_that_gives_other_bytes_says_so(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "copy")
    place = tmp_path / "copy" / RESULTS / "figures/fractions.png"
    flip(place)
    assert audit(["replay", str(place)]) == 0  # it is compared with its record, whatever became of the file
    record = place.with_name("fractions.png.record.json")
    record.write_text(record.read_text().replace(json.loads(record.read_text())["sha256"], "0" * 64))
    assert audit(["replay", str(place)]) == 1
    assert "fractions.png: other bytes" in capsys.readouterr().out


def test_a_score_of_a_cell_leads_to_a_url_and_a_box_and_there_is_the_stored_crop(finished, capsys):
    table = finished / RESULTS / "runs/cell/knn/handmade/neighbours.parquet"
    first = read_table("neighbours", table).iloc[5]
    words = [f"{column}={first[column]}" for column in ("cell_id", "apart", "seed")]
    assert audit(["row", str(table), *words]) == 0
    said = capsys.readouterr().out
    where = re.search(r"field: (\S+\.tif), sha256 (\w+)", said)
    box = re.search(r"top (-?\d+), left (-?\d+), bottom (-?\d+), right (-?\d+)", said)
    top, left, bottom, right = map(int, box.groups())
    row = int(re.search(r"crop: row (\d+) of crops/pixels.npy", said)[1])
    crops = open_crops(finished / RESULTS / "crops/pixels.npy", finished / RESULTS / "crops/masks.npy")
    cells = read_table("cells", finished / RESULTS / "cells.parquet").set_index("cell_id")
    fill = cells.loc[first["cell_id"], ["background_nucleus", "background_protein"]].to_numpy(int)
    counts = tifffile.imread(finished / where[1])
    assert bottom - top == right - left == crops.side
    assert np.array_equal(cut(counts, np.array([[top, left]]), crops.side, fill)[0], crops.read([row])[0])
    assert "they are the stored crop" in said


def test_a_number_of_a_figure_is_counted_again_from_its_predictions(finished, capsys):
    selectors = ["task=logistic", "metric=macro_f1", "backbone=handmade", "fraction=1", "split_unit=protein"]
    assert audit(["row", str(finished / RESULTS / "figures/fractions.svg"), *selectors]) == 0
    said = capsys.readouterr().out
    pairs = re.findall(r"counted again,? (\d\.\d+), (\d\.\d+) here", said)
    pairs += re.findall(r": (\d\.\d+) counted again, (\d\.\d+) here", said)
    assert len(pairs) == 3 and all(again == here for again, here in pairs)


def test_all_results_of_a_whole_study_are_verified_and_the_page_says_so(finished):
    page = (finished / RESULTS / "audit.html").read_text()
    assert "Every result and all that it was made from are what the records say" in page
    assert "<svg" in page and "figure_cells_umap" in page
    (answer,) = [json.loads((finished / RESULTS / "audit.json").read_text())]
    assert answer["verified"] is True and len(answer["files"]) > 35
    assert audit(["--all", str(finished / RESULTS), "--json"]) == 0


def test_a_record_is_below_20_kb(finished):
    sizes = [path.stat().st_size for path in finished.rglob("*.record.json")]
    assert len(sizes) > 35 and max(sizes) < 20_000


def test_no_step_imported_a_module_that_its_rule_does_not_name(finished):
    for path in finished.rglob("*.record.json"):
        assert "undeclared" not in json.loads(path.read_text())["run"], path
