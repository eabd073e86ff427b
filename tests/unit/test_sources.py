from __future__ import annotations

import csv
import logging

import pytest
import torch
from protloc.config.backbones import PACKAGED, Network
from protloc.config.load import load_backbones
from protloc.config.sources import SOURCES, read_sources
from protloc.errors import InputError
from protloc.hashing import sha256_path
from protloc.models.loading import files
from protloc.models.loading.files import packaged_file, weights_file
from protloc.models.weights import build
from protloc.modules import SCRIPTS
from protloc.opencell import ANNOTATIONS

REGISTRY = load_backbones(SCRIPTS.parent / "config/backbones.yaml")
NETWORKS = {name: row for name, row in REGISTRY.items() if isinstance(row, Network)}
ROW = ["weights_of_a_test", "1", "https://example.org/files/a.pth", "", "", "MIT", "nobody", "2026-01-02"]


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """A way to make a table of sources of one's own, and a working directory with nothing in it."""
    monkeypatch.chdir(tmp_path)

    def write(*rows, **changes):
        columns = list(read_header())
        with (tmp_path / "sources.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows([[changes.get(c, v) for c, v in zip(columns, row, strict=True)] for row in rows])
        found = read_sources(tmp_path / "sources.csv")
        monkeypatch.setattr(files, "read_sources", lambda: found)
        return found

    return write


def read_header() -> list[str]:
    return next(csv.reader(SOURCES.read_text(encoding="utf-8").splitlines()))


def network(**changes) -> Network:
    base = {"kind": "network", "title": "test", "architecture": "resnet18", "layout": "plain"}
    rest = {"slots": ["grey"], "natural": {"protein": "grey", "nucleus": "grey"}, "um_per_px": 0.4}
    return Network.model_validate(base | rest | {"weights": ROW[0]} | changes)


def test_the_table_is_sound_and_has_no_name_file_or_address_twice():
    sources = read_sources()
    for kind in ("url", "file_name"):
        values = [value for row in sources.values() if (value := getattr(row, kind))]
        assert len(set(values)) == len(values)
    labels = sources["opencell_labels"]
    assert labels.file_name == ANNOTATIONS and labels.size == 61612 and labels.sha256.startswith("14cf3536")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_weights_to_be_had_or_a_seed(name):
    row, sources = NETWORKS[name], read_sources()
    if row.layout in PACKAGED:
        assert packaged_file(row.weights, PACKAGED[row.layout]).is_file()
    elif row.weights is None:
        assert row.seed is not None and row.control
    elif row.request is not None:
        assert row.request.startswith("https://") and row.licence and row.weights.startswith("data/weights/")
    elif row.weights in sources:
        assert sources[row.weights].licence == row.licence
        assert sources[row.weights].citation == row.citation
    else:  # weights of our own
        assert row.layout == "safetensors"


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_says_where_its_channels_go(name):
    row = NETWORKS[name]
    assert set(row.natural) == {"protein", "nucleus"} and set(row.natural.values()) <= set(row.slots)
    assert row.normalization != "standardize" or not (row.mean or row.std)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("url", "http://example.org/a"),
        ("sha256", "14CF"),
        ("size", "-3"),
        ("size", "much"),
        ("date", "today"),
        ("name", "A b"),
        ("licence", ""),
    ],
)
def test_a_wrong_value_is_named_with_line_and_column(column, value, listed):
    with pytest.raises(InputError, match=rf"sources\.csv: line 2: {column}: ") as error:
        listed(ROW, **{column: value})
    assert "\n" not in str(error.value)


def test_an_address_without_encryption_is_one_of_this_machine(listed):
    assert listed(ROW, url="http://127.0.0.1:8000/a.pth")[ROW[0]].file_name == "a.pth"
    with pytest.raises(InputError, match="line 2: url: "):
        listed(ROW, url="http://127.0.0.1.example.org/a.pth")


def test_the_lock_fills_what_the_table_leaves_out_and_contradicts_nothing(listed, tmp_path):
    lock = tmp_path / "sources.lock.csv"
    pin = {"name": ROW[0], "url": ROW[2], "files": "1", "size": "3", "sha256": "ab" * 32, "checksum": ""}
    pin |= {"trust": "first use", "pinned": "2026-01-02"}

    def pinned(**changes):
        lock.write_text(
            "\n".join(",".join(column) for column in ((pin | changes).keys(), (pin | changes).values()))
        )

    pinned()
    row = listed(ROW)[ROW[0]]
    assert (row.sha256, row.size, row.listed_in) == ("ab" * 32, 3, "config/sources.lock.csv")
    assert listed(ROW, sha256="ab" * 32)[ROW[0]].listed_in == "config/sources.csv"
    for column, value in {"sha256": "cd" * 32, "size": "4", "url": "https://example.org/b/a.pth"}.items():
        with pytest.raises(InputError, match=rf"sources.lock.csv: {ROW[0]}: {column} is .* delete the row"):
            listed(ROW, **{column: value})
    pinned(sha256="AB")
    with pytest.raises(InputError, match=r"sources.lock.csv: line 2: sha256: "):
        listed(ROW)


def test_a_name_that_is_there_twice_is_refused(listed):
    with pytest.raises(InputError, match="line 3: name: weights_of_a_test is there twice"):
        listed(ROW, ROW)


def test_missing_weights_say_which_file_goes_where_and_how(listed):
    listed(ROW)
    with pytest.raises(InputError) as error:
        build(network())
    assert str(error.value) == (
        "data/weights/a.pth: the weights of test are missing; fetch them with protloc stage --configfile and "
        "the study's file, or put https://example.org/files/a.pth there"
    )


def test_a_file_with_the_listed_digest_is_taken_and_another_refused(listed, tmp_path, caplog):
    path = tmp_path / "data/weights/a.pth"
    path.parent.mkdir(parents=True)
    torch.save({"a": torch.ones(3)}, path)
    digest, size = sha256_path(path), str(path.stat().st_size)
    listed(ROW, sha256=digest, size=size)
    assert weights_file(network()).resolve() == path and not caplog.text
    with path.open("r+b") as stream:
        stream.write(b"x")
    with pytest.raises(InputError, match=f"config/sources.csv: weights_of_a_test says {digest}"):
        weights_file(network())
    path.write_bytes(b"x")
    with pytest.raises(InputError, match=f"has 1 bytes, config/sources.csv: weights_of_a_test says {size}"):
        weights_file(network())


def test_a_file_without_a_listed_digest_says_what_to_list(listed, tmp_path, caplog):
    path = tmp_path / "data/weights/a.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"abc")
    listed(ROW)
    with caplog.at_level(logging.WARNING):
        weights_file(network())
    assert f"enter sha256 {sha256_path(path)}, size 3 in config/sources.csv: weights_of_a_test" in caplog.text


def test_a_local_path_is_below_the_working_directory_or_the_project(listed, tmp_path):
    listed(ROW)
    (tmp_path / "own.pth").write_bytes(b"abc")
    assert weights_file(network(weights="own.pth")).resolve() == tmp_path / "own.pth"
    assert weights_file(network(weights="README.md")) == SCRIPTS.parent / "README.md"
    with pytest.raises(InputError, match=r"weights: nowhere\.pth is neither a file nor a name"):
        weights_file(network(weights="nowhere.pth"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("weights: a.pth", "give weights and layout together"),
        ("layout: plain", "give weights and layout together"),
        ("seed: 0\n  layout: pickle", "layout: Input should be 'package', 'facebook_dino'"),
        ("seed: 0\n  mean: [0.1, 0.2]", "own.mean: give one number for each slot"),
        ("seed: 0\n  normalization: none", "normalization: Input should be 'percentiles'"),
    ],
)
def test_a_row_that_does_not_hang_together_is_one_line(row, message, tmp_path):
    path = tmp_path / "backbones.yaml"
    path.write_text(
        "own:\n  kind: network\n  title: own\n  architecture: vit_small_patch16_224\n  slots: [grey]\n"
        f"  natural: {{protein: grey, nucleus: grey}}\n  um_per_px: 0.4\n  {row}\n"
    )
    with pytest.raises(InputError, match=message) as error:
        load_backbones(path)
    assert "\n" not in str(error.value) and "Value error" not in str(error.value)
