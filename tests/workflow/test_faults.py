"""What is wrong with the input stops the run, or is left out and counted: in a line that names it."""

from __future__ import annotations

import pytest
from conftest import mini, run
from protloc.tables import read_table

LIGHT = {"backbones": ["handmade", "majority"]}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"splits": {"seed": [1]}},
            "configuration: splits.seed: unknown key; allowed: units, label_policies",
        ),
        (
            {"splits": {"seeds": "one"}},
            "configuration: splits.seeds: Input should be a valid list (given: 'one')",
        ),
        (
            {"embedding": {"backbones": ["dino"]}, "cells": None, "finetune": None},
            "embedding.backbones: dino is not in config/backbones.yaml",
        ),
        (
            {"acquisition": {"mirror": "here", "labels": "labels.csv"}},
            "give either simulation or acquisition: the images are drawn or fetched",
        ),
        ({"splits": {"test_share": 0.9}}, "test_share + validation_share must be below 1"),
    ],
)
def test_a_wrong_configuration_stops_before_any_job(changes, line, tmp_path):
    done = run(tmp_path, mini(**changes))
    assert done.returncode != 0
    assert [found for found in done.stdout.splitlines() if line in found], done.stdout
    assert not (tmp_path / "results").exists()


@pytest.fixture
def mirror(finished, tmp_path):
    """A mirror of the finished study's fields in which one field is cut short."""
    import shutil

    shutil.copytree(finished / "data/mini/mirror", tmp_path / "mirror")
    victim = sorted((tmp_path / "mirror").rglob("*.tif"))[3]
    victim.write_bytes(victim.read_bytes()[:1000])
    return victim.relative_to(tmp_path / "mirror").as_posix()


def study(**quality: float) -> dict:
    changed = mini(embedding=LIGHT, quality=quality, cells=None, finetune=None)
    del changed["simulation"]
    labels = "mirror/opencell-localization-annotations.csv"
    return changed | {"acquisition": {"mirror": "mirror", "labels": labels}}


@pytest.mark.slow
def test_one_bad_field_is_left_out_counted_and_shown(mirror, tmp_path):
    done = run(tmp_path, study())
    assert done.returncode == 0, done.stdout
    assert f"left out: {mirror}: not a readable TIFF" in done.stdout
    assert "1 of 170 fields are bad and left out" in done.stdout
    fovs = read_table("fovs", tmp_path / "results/mini/fovs.parquet")
    assert list(fovs.loc[fovs["status"] == "bad", "key"]) == [mirror]
    page = (tmp_path / "results/mini/figures/overview.html").read_text()
    assert "1 fields are bad and left out" in page
    assert mirror in page


def test_too_many_bad_fields_stop_the_run_and_leave_nothing(mirror, tmp_path):
    done = run(tmp_path, study(max_bad_share=0.001))
    assert done.returncode != 0
    assert (
        f"1 of 170 fields are bad, more than quality.max_bad_share = 0.001; the first is {mirror}"
        in done.stdout
    )
    assert not (tmp_path / "results/mini/fovs.parquet").exists()
    assert list((tmp_path / "results/mini").glob(".partial*")) == []
