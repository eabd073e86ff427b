"""Scores inside and outside of what a network was pretrained on, from predictions to the page."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from protloc.evaluate import pretraining_overlap
from protloc.evaluate.pretraining_overlap import NOT_SEEN, SEEN, overlap, score_overlap
from protloc.report.index import pretraining as page
from protloc.report.index.pretraining import seen_in_pretraining, shares_seen, transductive
from protloc.report.index.study import Names, Tables
from protloc.tables import TABLES, empty_table, write_table
from sklearn.metrics import f1_score
from subsets import as_predictions

CLASSES = ["chromatin", "er", "golgi", "vesicles"]
OWN, CONTROL = "own_dino", "own_dino_untrained"
IMAGES = pd.DataFrame({"fov_id": [f"FID{n:08d}" for n in range(60)], "gene": "G"}).assign(
    backbone=OWN, role=lambda table: np.where(table.index % 3 == 0, "held_out", "pretrained")
)


def predictions(seed: int) -> pd.DataFrame:
    """Predictions for 60 fields under two seeds; vesicles are tested among the pretrained fields alone."""
    rng = np.random.default_rng(seed)
    rows = []
    for run in (0, 1):
        for n, fov_id in enumerate(IMAGES["fov_id"]):
            truth = CLASSES[n // 3 % 3 if n % 3 == 0 else n % 4]
            guess = truth if rng.random() < 0.6 else str(rng.choice(CLASSES))
            rows.append({"seed": run, "fov_id": fov_id, "truth": [truth], "predicted": [guess]})
    frame = pd.DataFrame(rows).assign(gene="G", split_unit="protein", label_policy="single", fraction=1.0)
    frame["classes"] = [CLASSES] * len(frame)
    frame["probabilities"] = [np.float32([0.25] * 4)] * len(frame)
    return as_predictions(frame.assign(thresholds=[[]] * len(frame)))


@pytest.fixture
def metrics(tmp_path) -> pd.DataFrame:
    jobs = []
    for number, backbone in enumerate((OWN, CONTROL, "other")):
        path = str(tmp_path / f"{backbone}.parquet")
        write_table("predictions", predictions(number).assign(strategy="adapt", scale=1.0), path)
        jobs.append(("predictions", path, ["linear", "fov", backbone, "adapt", 1.0]))
    return score_overlap(
        [*jobs, ("neighbours", "none", ["knn", "cell", OWN, "adapt"])], IMAGES, [OWN, CONTROL]
    )


def plain(backbone_number: int, seed: int, seen: bool) -> float:
    """Scikit-learn's macro F1 over the classes that are there on both sides."""
    rows = predictions(backbone_number)
    rows = rows[rows["seed"] == seed]
    inside = rows["fov_id"].isin(IMAGES.loc[IMAGES["role"] == "pretrained", "fov_id"])
    truth, predicted = (rows[name].str[0] for name in ("truth", "predicted"))
    both = sorted(set(truth[inside]) & set(truth[~inside]))
    assert "vesicles" not in both and len(both) > 1
    side = inside == seen
    return f1_score(truth[side], predicted[side], labels=both, average="macro", zero_division=0)


def test_scores_inside_and_outside_are_those_of_scikit_learn(metrics):
    assert set(metrics["backbone"]) == {OWN, CONTROL} and len(metrics) == 2 * 2 * 2
    for row in metrics.itertuples():
        number = (OWN, CONTROL).index(row.backbone)
        assert row.value == pytest.approx(plain(number, row.seed, row.metric == SEEN), abs=1e-12)
    assert metrics["value"].nunique() > 6


def test_the_rows_fit_the_table_of_metrics_also_where_there_are_none(metrics, tmp_path):
    write_table("metrics", metrics, tmp_path / "metrics.parquet")
    assert list(score_overlap([], IMAGES, [OWN]).columns) == [c.name for c in TABLES["metrics"].columns]


def test_nothing_is_scored_without_a_class_on_both_sides():
    truth = np.eye(2, dtype=bool)
    assert overlap(truth, truth, np.array([True, False])) == {}
    assert overlap(truth, truth, np.array([True, True])) == {}


SPLIT = pd.DataFrame(
    {"fov_id": [f"FID{n:08d}" for n in (0, 1, 2, 3, 3, 4, 5, 6)], "seed": [0, 0, 0, 0, 1, 1, 1, 1]}
).assign(part=["test", "test", "test", "train", "test", "train", "train", "test"])
NAMES = Names({OWN: "Own DINO", CONTROL: "Untrained"}, [CONTROL], {OWN: CONTROL}, ["adapt"])


def tables(metrics: pd.DataFrame) -> Tables:
    rows = metrics[metrics["seed"] == 0].drop_duplicates("backbone").drop(columns=["seed", "value"])
    summary = rows.assign(metric="macro_f1", mean=0.5, sd=0.1, low=0.4, high=0.6, runs=2)
    others = {name: empty_table(name) for name in ("comparisons", "enough")}
    return Tables(metrics=metrics, summary=summary, **others, heads=["linear"])


def test_the_share_of_test_fields_that_were_seen_is_counted_for_each_seed():
    assert shares_seen(IMAGES, SPLIT).to_dict() == {0: 2 / 3, 1: 0.0}
    assert transductive(IMAGES, {"protein-single": SPLIT, "fov-multi": SPLIT[SPLIT["seed"] == 1]}) == [
        (OWN, "protein", "single")
    ]


def test_the_page_says_what_was_seen_and_how_it_scores_inside_and_outside(metrics):
    assert (page.SEEN, page.NOT_SEEN) == (SEEN, NOT_SEEN)
    first, second = seen_in_pretraining(tables(metrics), NAMES, IMAGES, {"protein-single": SPLIT})
    assert first.startswith(
        "Own DINO was pretrained, without labels, on test fields too: 0% to 67% (split by protein, single"
    )
    inside, outside = (np.mean([plain(0, seed, seen) for seed in (0, 1)]) for seen in (True, False))
    assert f"Own DINO: macro F1 {inside:.3f} inside, {outside:.3f} outside" in second
    assert "; the same network untrained: " in second


def test_the_page_says_nothing_where_no_tested_image_was_seen():
    unseen = {"protein-single": SPLIT[SPLIT["seed"] == 1]}
    empty = tables(pretraining_overlap.empty_table("metrics"))
    assert list(seen_in_pretraining(empty, NAMES, IMAGES, unseen)) == []
    assert list(seen_in_pretraining(empty, NAMES, empty_table("pretraining_images"), unseen)) == []
