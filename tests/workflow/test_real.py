"""The same rules on real OpenCell fields of different sizes, one per protein."""

from __future__ import annotations

import pytest
from conftest import mini, run
from protloc.tables import read_table
from protloc.variants import Variant
from protloc.vectors import read_vectors

WANTED = (("efficientnet_lite0", "replicate_fill"), ("dino_demo", "replicate_fill"), ("handmade", "none"))


@pytest.mark.slow
def test_real_fields_reach_the_neighbours_and_an_impossible_split_says_so(shared, tmp_path):
    study = mini(embedding={"backbones": ["efficientnet_lite0", "dino_demo", "handmade"]}, finetune=None)
    del study["simulation"]
    data = shared / "data"
    study["acquisition"] = {
        "mirror": str(data / "opencell-samples"),
        "labels": str(data / "opencell-localization-annotations.csv"),
    }
    done = run(tmp_path, study)
    assert "no split by protein is possible: 0 of the classes have enough proteins with images" in done.stdout
    assert done.returncode != 0
    results = tmp_path / "results/mini"
    fovs = read_table("fovs", results / "fovs.parquet")
    assert (fovs["status"] == "ok").all()
    for backbone, strategy in WANTED:
        names, vectors = read_vectors(results / f"embeddings/fov/{backbone}.parquet", Variant(strategy))
        assert names == sorted(fovs["fov_id"])
        assert len(vectors) == 9
    assert (results / "figures/neighbours.png").stat().st_size > 50_000
    cells = read_table("cells", results / "cells.parquet")
    assert (
        cells["fov_id"].nunique() == 9 and cells["nucleus_area_um2"].median() > 50
    )  # many are cut by the edge
    without = run(tmp_path, study | {"splits": None, "cells": None})
    assert without.returncode == 0, without.stdout
    assert (results / "report.html").exists()
