"""The demo: what heads, scales and features are worth on its real weights. It takes minutes, so nightly."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, run
from protloc.config.settings import Probe
from protloc.heads.data import RunData, run_data
from protloc.heads.logistic import fit_logistic
from protloc.macro_f1 import macro_f1
from protloc.runs import plan
from protloc.standard_scores import BOUND, standard_scores
from protloc.tables import read_table
from protloc.variants import Variant
from protloc.vectors import read_vectors, variants_in
from sklearn.linear_model import LogisticRegression

pytestmark = pytest.mark.nightly
FRACTIONS, SEEDS = (0.1, 0.25, 1.0), (0, 1, 2)
TRIED = Probe().c[::4]


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """The results of the demo, with DINOv2 on its cells too."""
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    study["cells"]["backbones"].append("dinov2_vits14_packaged")
    folder = tmp_path_factory.mktemp("demo")
    done = run(folder, study)
    assert done.returncode == 0, done.stdout
    return folder / "results/demo"


def summary_of(demo: Path) -> pd.DataFrame:
    table = read_table("summary", demo / "summary.parquet")
    return table[(table["metric"] == "macro_f1") & (table["subset"] == "test") & (table["shots"] == 0)]


def matrices(demo: Path) -> dict[str, tuple[pd.Index, np.ndarray]]:
    """Ids and vectors of the fields in each backbone but the majority guess."""
    found = {}
    for path in sorted((demo / "embeddings/fov").glob("*.parquet")):
        if path.stem != "majority":
            names, vectors = read_vectors(path, variants_in(path)[0])
            found[path.stem] = (pd.Index(names), vectors)
    return found


def parts_of(split: pd.DataFrame, seed: int, fraction: float) -> dict[str, pd.DataFrame]:
    mine = split[split["seed"] == seed].sort_values("image_id")
    held = (mine["fraction"] <= fraction) | (mine["part"] == "test")
    return {part: rows for part, rows in mine[held].groupby("part")}


def test_standard_scores_are_bounded_for_every_backbone(demo):
    split = read_table("splits", demo / "splits/protein-single.parquet")
    for (names, vectors), seed, fraction in product(matrices(demo).values(), SEEDS, FRACTIONS):
        parts = parts_of(split, seed, fraction)
        scores = standard_scores(vectors[names.get_indexer(parts["train"]["image_id"])])
        assert np.abs(scores(vectors)).max() <= BOUND and scores.scale.any()


def scores_of(said: dict[str, np.ndarray], data: RunData) -> tuple[float, float, float]:
    """Macro F1 on validation, minus the loss there, macro F1 on test, of probabilities (images, classes)."""
    classes, wanted = np.eye(len(data.present), dtype=bool), data.truth["validation"]
    f1 = {part: macro_f1(data.truth[part], classes[of.argmax(1)]) for part, of in said.items()}
    loss = -np.log(said["validation"][wanted].clip(1e-30)).mean()
    return f1["validation"], -loss, f1["test"]


def by_scikit_learn(vectors: np.ndarray, data: RunData) -> float:
    """Test macro F1 with the C of the highest macro F1 on validation, of equals that of the smaller loss.

    At its own tolerance of 1e-4 it stops long before the minimum where the penalty is weak.
    """
    parts = {part: data.standard(vectors, part) for part in ("train", "validation", "test")}
    found = []
    for strength in TRIED:
        model = LogisticRegression(C=strength, max_iter=20_000, tol=1e-6)
        model.fit(parts["train"], data.targets["train"].argmax(1))
        said = {}
        for part in ("validation", "test"):
            said[part] = np.zeros((len(parts[part]), len(data.present)))
            said[part][:, model.classes_] = model.predict_proba(parts[part])
        found.append(scores_of(said, data))
    return max(found)[2]


def test_logistic_is_as_good_as_scikit_learn_on_every_backbone_and_fraction(demo):
    """As shipped, and with the same C to choose from and nothing masked, which scikit-learn cannot do."""
    splits = {("protein", "single"): read_table("splits", demo / "splits/protein-single.parquet")}
    proteins, settings = read_table("proteins", demo / "proteins.parquet"), Probe().model_dump()
    as_shipped = summary_of(demo).query("task == 'logistic' and level == 'fov' and split_unit == 'protein'")
    as_shipped = as_shipped.set_index(["backbone", "fraction"])["mean"]
    behind, behind_as_shipped = {}, {}
    for (name, (names, vectors)), fraction in product(matrices(demo).items(), FRACTIONS):
        ours, theirs = [], []
        for one in plan(splits, [fraction], [], Variant("none"), ""):
            data = run_data(one, names, vectors, proteins, settings)
            data = replace(data, masked={part: np.zeros_like(of) for part, of in data.masked.items()})
            ours.append(scores_of(fit_logistic(vectors, data, TRIED).probabilities, data)[2])
            theirs.append(by_scikit_learn(vectors, data))
        behind[name, fraction] = np.mean(theirs) - np.mean(ours)
        behind_as_shipped[name, fraction] = np.mean(theirs) - as_shipped[name, fraction]
    print(pd.DataFrame({"alike": behind, "as shipped": behind_as_shipped}).round(3).to_string())
    for differences in (behind, behind_as_shipped):
        assert np.mean(list(differences.values())) < 0.01
    assert max(behind_as_shipped.values()) < 0.03


def test_dinov2_reads_fields_and_more_of_it_from_its_last_four_blocks(demo):
    scores = summary_of(demo).query("task == 'logistic' and level == 'fov' and split_unit == 'protein'")
    means = scores[scores["fraction"] == 1].set_index("backbone")["mean"]
    assert means["dinov2_vits14_packaged"] >= 0.62
    assert means["dinov2_vits14_packaged_blocks"] >= 0.65
    assert means["dinov2_vits14_packaged"] > means["dinov2_vits14_untrained"] + 0.2


def test_cells_at_the_scale_of_their_backbones(demo):
    scores = summary_of(demo).query("task == 'knn' and split_unit == 'protein' and k == 10")
    means = scores.set_index("backbone")["mean"]
    assert means["efficientnet_lite0"] > 0.50  # 0.43 when cells had 58 px
    assert means["dinov2_vits14_packaged"] > 0.36  # 0.32 at 56 px


def test_a_tuned_network_starts_from_the_frozen_probe(demo):
    tuned = next((demo / "runs/fov/finetune").rglob("epoch_0.parquet"))
    before = read_table("predictions", tuned)
    name = tuned.parent.parent.name
    frozen = read_table("predictions", demo / f"runs/fov/logistic/{name}/predictions.parquet")
    keys = ["split_unit", "fraction", "seed", "subset", "image_id"]
    both = before.merge(frozen, on=keys, suffixes=("", "_frozen"))
    assert len(both) == len(before) > 400
    assert (both["predicted"].map(tuple) == both["predicted_frozen"].map(tuple)).all()
    said, expected = (np.stack(both[column]) for column in ("probabilities", "probabilities_frozen"))
    assert np.abs(said - expected).max() < 1e-3
