"""The study in very small: complete, repeatable, whatever the machine."""

from __future__ import annotations

import itertools
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from conftest import MINI, ROOT, contents, mini, run
from protloc.crops import open_crops
from protloc.cut import cut
from protloc.hashing import sha256_path
from protloc.tables import read_table

RESULTS = Path("results/mini")


def test_every_backbone_fraction_and_seed_has_its_metrics(finished):
    metrics = read_table("metrics", finished / RESULTS / "metrics.parquet")
    probes = (metrics["task"] == "logistic") & (metrics["metric"] == "macro_f1")
    probes &= metrics["level"] == "fov"
    runs = metrics.loc[probes, ["backbone", "split_unit", "fraction", "seed", "subset"]]
    splits, subsets = MINI["splits"], ("test", "validation")
    wanted = itertools.product(
        MINI["embedding"]["backbones"], ("protein", "fov"), splits["fractions"], splits["seeds"], subsets
    )
    assert sorted(runs.itertuples(index=False, name=None)) == sorted(wanted)
    counts = metrics["metric"].isin(["padded_cells", "unpadded_cells"])
    assert metrics.loc[~counts, "value"].between(0, 1).all() and (metrics.loc[counts, "value"] >= 0).all()


def test_every_fine_tuned_network_has_its_metrics(finished):
    metrics = read_table("metrics", finished / RESULTS / "metrics.parquet")
    metrics = metrics[metrics["subset"] == "test"]
    tuned = metrics[(metrics["task"] == "finetune") & (metrics["metric"] == "macro_f1")]
    columns = ["backbone", "split_unit", "fraction", "seed"]
    wanted = [("vit_untrained", "protein", 1.0, seed) for seed in MINI["splits"]["seeds"]]
    assert sorted(tuned[columns].itertuples(index=False, name=None)) == wanted


def test_a_network_at_epoch_0_scores_as_its_frozen_probe(finished):
    metrics = read_table("metrics", finished / RESULTS / "metrics.parquet")
    keys = ["backbone", "strategy", "split_unit", "label_policy", "fraction", "seed", "subset", "metric"]
    metrics = metrics[metrics["level"] == "fov"]
    frozen, before = (
        metrics[metrics["task"] == task].set_index(keys)["value"] for task in ("logistic", "finetune_epoch_0")
    )
    decided = before[before.index.get_level_values("metric").str.contains("f1")]
    assert len(decided) and (decided == frozen[decided.index]).all()


def test_every_backbone_k_and_draw_of_cells_has_its_metrics(finished):
    metrics = read_table("metrics", finished / RESULTS / "metrics.parquet")
    metrics = metrics[metrics["subset"] == "test"]
    cells = metrics[(metrics["level"] == "cell") & (metrics["metric"] == "macro_f1") & metrics["k"].notna()]
    columns = ["task", "backbone", "split_unit", "seed", "k"]
    wanted = itertools.product(
        ("knn", "knn_weighted"),
        MINI["cells"]["backbones"],
        ("protein", "fov", "cell"),
        MINI["knn"]["seeds"],
        MINI["knn"]["k"],
    )
    assert sorted(cells[columns].itertuples(index=False, name=None)) == sorted(wanted)


def test_the_neighbour_of_a_cell_leads_to_its_pixels(finished):
    """From a row of the neighbours to the crop, and to the pixels in the field's own file."""
    results = finished / RESULTS
    neighbours = read_table("neighbours", results / "runs/cell/knn/handmade/neighbours.parquet")
    cells = read_table("cells", results / "cells.parquet").set_index("cell_id")
    fovs = read_table("fovs", results / "fovs.parquet").set_index("fov_id")
    crops = open_crops(results / "crops/pixels.npy", results / "crops/masks.npy")
    for name in neighbours["nearest"].iloc[0]:
        cell = cells.loc[name]
        counts = tifffile.imread(finished / "data/mini/raw" / fovs.loc[cell["fov_id"], "key"])
        at = np.array([[cell["top"], cell["left"]]])
        fill = cell["background_nucleus"], cell["background_protein"]
        assert np.array_equal(cut(counts, at, crops.side, fill)[0], crops.read([cell["row"]])[0])


def test_every_result_has_a_record_that_is_true(finished):
    results = [
        path
        for path in (finished / "results").rglob("*")
        if path.is_file() and not path.name.endswith(".record.json")
    ]
    aside = {"logs", "benchmarks"}
    inner = {path: path.relative_to(finished).parts for path in results}
    results = [path for path in results if not any(part in aside or part[0] == "." for part in inner[path])]
    assert len(results) > 20
    for path in [*results, finished / "data/mini/mirror"]:
        record = json.loads(path.with_name(path.name + ".record.json").read_text())
        assert record["sha256"] == sha256_path(path), path
        assert record["chain"]
        for fact in record["facts"]["inputs"]:
            if "chain" in fact:
                beneath = json.loads((finished / f"{fact['path']}.record.json").read_text())
                assert (fact["sha256"], fact["chain"]) == (beneath["sha256"], beneath["chain"])


def test_no_record_names_a_place_on_this_machine_in_what_it_commits_to(finished):
    for path in (finished / "results").rglob("*.record.json"):
        record = json.loads(path.read_text())
        del record["run"]
        assert str(ROOT) not in json.dumps(record), path
        assert str(finished) not in json.dumps(record), path


def test_the_merged_configuration_lies_beside_the_results(finished):
    merged = yaml.safe_load((finished / RESULTS / "config.yaml").read_text())
    assert merged["splits"]["min_proteins"] == 3
    assert merged["quality"] == {"max_bad_share": 0.02}


def test_the_report_has_the_figures_in_it(finished):
    report = (finished / RESULTS / "report.html").read_text()
    assert report.count("figures/") >= 4
    assert "Simulated images." in (finished / RESULTS / "figures/overview.html").read_text()


def test_a_second_run_has_nothing_to_do(finished):
    again = run(finished, mini())
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout


@pytest.mark.slow
def test_cores_batches_and_the_order_of_files_change_no_byte(finished, tmp_path):
    source = finished / "data/mini/mirror"
    keys = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    random.Random(1).shuffle(keys)
    for key in keys:
        (tmp_path / "mirror" / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / key, tmp_path / "mirror" / key)
    study = mini(embedding={"batch_size": 7})
    del study["simulation"]
    labels = "mirror/opencell-localization-annotations.csv"
    study["acquisition"] = {"mirror": "mirror", "labels": labels}
    done = run(tmp_path, study, cores=1)
    assert done.returncode == 0, done.stdout
    found, expected = contents(tmp_path), contents(finished)  # where the mirror lies is part of the footers
    differ = {name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)}
    assert differ == {"published.parquet"}  # it says whether the images are simulated
