from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from protloc.config.settings import Probe
from protloc.decide import decide
from protloc.errors import InputError
from protloc.kept import KeptRuns
from protloc.macro_f1 import macro_f1
from protloc.probe import runs as room
from protloc.probe.runs import probe
from protloc.runs import plan
from protloc.splits.table import make_split
from protloc.tables import read_table, write_table
from protloc.targets import masks, targets
from protloc.thresholds import thresholds
from protloc.variants import Variant
from sklearn.metrics import f1_score

SETTINGS = Probe(epochs=8, c=[1e-3, 1e-2, 1e-1, 1.0], weight_decay=[0.1, 1.0]).model_dump(exclude={"heads"})
FRACTIONS = [0.2, 1.0]
NO_PROTEINS = pd.DataFrame()


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


def study(classes: int = 4, per_class: int = 12, several: bool = False, seeds=(0, 1)) -> pd.DataFrame:
    labels = {f"G{n:03d}": [f"class_{n % classes}"] for n in range(classes * per_class)}
    if several:
        labels = {gene: sorted({*own, f"class_{n % 3}"}) for n, (gene, own) in enumerate(labels.items())}
    fovs = pd.DataFrame(
        [(f"FID{10 * n + m:08d}", gene) for n, gene in enumerate(labels) for m in range(3)],
        columns=["fov_id", "gene"],
    ).assign(status="ok")
    shares = {"test_share": 0.25, "validation_share": 0.15, "fractions": FRACTIONS}
    return make_split(fovs, labels, unit="protein", seeds=seeds, **shares)


def vectors_of(split: pd.DataFrame, dimension: int = 74, noise: float = 1.0) -> tuple[list[str], np.ndarray]:
    """Names and vectors that hold a direction of each label, and noise."""
    rng = np.random.default_rng(0)
    classes = sorted(split["labels"].explode().unique())
    directions = dict(zip(classes, rng.normal(size=(len(classes), dimension)), strict=True))
    one = split.drop_duplicates("fov_id").sort_values("fov_id")
    vectors = [sum(directions[label] for label in labels) for labels in one["labels"]]
    return list(one["fov_id"]), np.float32(vectors + noise * rng.normal(size=(len(one), dimension)))


def run_all(named, split, folder: Path, policy="single", head="logistic", fractions=FRACTIONS, **settings):
    """The predictions of all runs in test, kept in `folder`, and how many were trained."""
    settings = SETTINGS | settings
    runs = plan({("protein", policy): split}, fractions, [], Variant("none"))
    kept = KeptRuns("predictions", folder / ".kept", [head, settings])
    new = sum(run.key not in kept for run in runs)
    found = pa.concat_tables(probe(*named, runs, kept, NO_PROTEINS, head, settings)).to_pandas()
    return found[found["subset"] == "test"].reset_index(drop=True), new


@pytest.mark.parametrize("head", ["logistic", "linear", "mlp", "wide"])
@pytest.mark.parametrize("policy", ["single", "multi"])
def test_vectors_that_hold_the_labels_are_read_and_fit_the_schema(policy, head, tmp_path):
    split = study(several=policy == "multi")
    predictions, _ = run_all(vectors_of(split), split, tmp_path, policy, head)
    whole = predictions[predictions["fraction"] == 1]
    assert (whole["truth"].map(list) == whole["predicted"].map(list)).mean() > 0.9
    write_table("predictions", predictions, tmp_path / "predictions.parquet")
    assert len(read_table("predictions", tmp_path / "predictions.parquet")) == 2 * sum(
        split["part"] == "test"
    )


def test_only_the_training_part_of_a_fraction_is_learned_from(tmp_path):
    split = study(seeds=[0])
    names, vectors = vectors_of(split)
    outside = set(split.loc[split["fraction"] > 0.2, "fov_id"])
    changed = np.where([[name in outside] for name in names], vectors + np.float32(100), vectors)
    small = [
        run_all((names, matrix), split, tmp_path / str(n), fractions=[0.2])[0]["probabilities"]
        for n, matrix in enumerate((vectors, changed))
    ]
    assert len(outside) and np.array_equal(*map(np.stack, small))


@pytest.mark.parametrize("head", ["logistic", "mlp"])
@pytest.mark.parametrize("policy", ["single", "multi"])
def test_equal_vectors_give_the_majority_guess_whatever_thresholds_do(policy, head, tmp_path):
    split = study(several=policy == "multi")
    names = sorted(set(split["fov_id"]))
    drop = split["labels"].map(lambda labels: "class_3" in labels) & (split["gene"] < "G030")
    split = split[~drop | (split["part"] != "train")]
    predictions, _ = run_all((names, np.ones((len(names), 1), np.float32)), split, tmp_path, policy, head)
    for (seed, fraction), rows in predictions.groupby(["seed", "fraction"]):
        (guess,) = rows["predicted"].map(tuple).unique()
        trained = split[
            (split["seed"] == seed) & (split["fraction"] <= fraction) & (split["part"] == "train")
        ]
        trained = trained["labels"].explode()
        counts = trained.value_counts()
        assert len(guess) == 1 and counts[guess[0]] == counts.max()


@pytest.mark.parametrize("policy", ["single", "multi"])
def test_a_training_part_of_one_class_predicts_it_and_is_reported(policy, caplog, tmp_path):
    split = study(classes=2)
    only = split["labels"].map(lambda labels: labels == ["class_1"])
    split = split[only | (split["part"] != "train")]
    predictions, _ = run_all(vectors_of(split), split, tmp_path, policy)
    assert predictions["predicted"].map(list).map(lambda labels: labels == ["class_1"]).all()
    assert "all training images are class_1" in caplog.text


@pytest.mark.parametrize("policy", ["single", "multi"])
def test_a_class_without_training_fields_has_probability_0_and_is_reported(policy, caplog, tmp_path):
    split = study()
    absent = split["labels"].map(lambda labels: labels == ["class_2"]) & (split["part"] == "train")
    predictions, _ = run_all(vectors_of(split), split[~absent], tmp_path, policy)
    assert (np.stack(predictions["probabilities"])[:, 2] == 0).all()
    assert "no training image, so not learned: class_2" in caplog.text


def test_adding_a_seed_trains_one_run_per_fraction_and_removing_one_none(tmp_path):
    three, two = study(seeds=[0, 1, 2]), study(seeds=[0, 1])
    named = vectors_of(three)
    first, new = run_all(named, two, tmp_path)
    assert new == 2 * len(FRACTIONS)
    more, new = run_all(named, three, tmp_path)
    assert new == len(FRACTIONS)
    fewer, new = run_all(named, two, tmp_path)
    assert new == 0 and fewer.equals(first)
    third = study(seeds=[2])
    alone, new = run_all(named, third, tmp_path / "alone")
    in_company = more[more["seed"] == 2].reset_index(drop=True)
    assert np.array_equal(np.stack(alone["probabilities"]), np.stack(in_company["probabilities"]))
    _, new = run_all(named, two, tmp_path, fractions=[0.2, 0.5, 1.0])
    assert new == 2
    _, new = run_all(named, two, tmp_path, c=[1e-2])
    assert new == 2 * len(FRACTIONS)


def test_a_job_that_is_cut_off_loses_one_pack_alone(tmp_path, monkeypatch):
    split = study(seeds=range(4))
    named, trained = vectors_of(split), room.fit_heads
    calls = []

    def dies(*arguments):
        calls.append(len(arguments[1]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return trained(*arguments)

    monkeypatch.setattr(room, "fit_heads", dies)
    with pytest.raises(KeyboardInterrupt):
        run_all(named, split, tmp_path, head="linear", pack=4)
    monkeypatch.undo()
    whole, new = run_all(named, split, tmp_path, head="linear", pack=4)
    assert calls == [2, 2, 2] and new == 8 - 4
    assert whole.equals(run_all(named, split, tmp_path / "undisturbed", head="linear", pack=32)[0])


def test_a_kept_run_that_was_changed_is_trained_again(tmp_path, caplog):
    split = study()
    first, _ = run_all(vectors_of(split), split, tmp_path)
    changed, unreadable, *_ = sorted((tmp_path / ".kept").glob("*.parquet"))
    rows = read_table("predictions", changed)
    write_table("predictions", rows.assign(seed=7), changed)
    unreadable.with_suffix(".json").write_text("nothing")
    again, new = run_all(vectors_of(split), split, tmp_path)
    assert new == 2 and again.equals(first)
    assert "a kept run was changed" in caplog.text and "cannot be read" in caplog.text


def test_kept_runs_of_other_settings_go_when_the_first_of_these_is_kept(tmp_path):
    rows = run_all(vectors_of(study(seeds=[0])), study(seeds=[0]), tmp_path / "made", fractions=[1.0])[0]
    KeptRuns("predictions", tmp_path, "one").add("a", rows)
    second = KeptRuns("predictions", tmp_path, "two")
    assert "a" not in second and "a" in KeptRuns("predictions", tmp_path, "one")
    second.add("b", rows)
    assert {path.name for path in tmp_path.glob("*.*")} == {"b.parquet", "b.json"}
    assert KeptRuns("predictions", tmp_path, "two")["b"].to_pandas().equals(rows)


def test_macro_f1_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    truth, predicted = (rng.random((30, 4)) < [0.5, 0.3, 0.1, 0.0] for _ in range(2))
    assert macro_f1(truth, predicted) == pytest.approx(
        f1_score(truth, predicted, average="macro", zero_division=0)
    )


def test_leaks_missing_and_foreign_vectors_and_empty_fractions_are_refused(tmp_path):
    split = study()
    names, vectors = vectors_of(split)
    leaking = pd.concat([split, split[split["part"] == "test"].assign(part="train", fraction=1.0)])
    with pytest.raises(InputError, match="lies in several parts"):
        run_all((names, vectors), leaking, tmp_path)
    with pytest.raises(
        InputError, match="1 of 144 images of the split have no vector, the first FID00000000"
    ):
        run_all((names[1:], vectors[1:]), split, tmp_path)
    with pytest.raises(InputError, match=r"144 of 144 images .* another data set"):
        run_all(([f"X{name}" for name in names], vectors), split, tmp_path)
    with pytest.raises(InputError, match=r"fraction 0\.2 holds no image"):
        run_all((names, vectors), split[~(split["fraction"] <= 0.2)], tmp_path)
    vectors[3, 5] = np.nan
    with pytest.raises(InputError, match=f"{names[3]} is not finite"):
        run_all((names, vectors), split, tmp_path)


def test_soft_targets_are_by_grade():
    split = pd.DataFrame({"gene": ["A", "A", "B"], "labels": [["er"], ["er"], ["er", "golgi"]]})
    split["image_id"] = ["a1", "a2", "b1"]
    proteins = pd.DataFrame(
        {
            "gene": ["A", "B"],
            "grade_3": [["er"], ["golgi"]],
            "grade_2": [[], ["er"]],
            "grade_1": [["golgi"], []],
        }
    )
    found = targets(split, ["er", "golgi"], proteins, {3: 1.0, 2: 0.6, 1: 0.2})
    assert found["a1"] == pytest.approx([1.0, 0.2]) and found["b1"] == pytest.approx([0.6, 1.0])
    assert found["a2"] is found["a1"]
    assert targets(split, ["er", "golgi"])["a1"].tolist() == [1, 0]


def test_images_of_one_protein_may_have_labels_of_their_own():
    split = pd.DataFrame({"gene": "A", "image_id": ["a1", "a2"], "labels": [["er"], ["golgi"]]})
    split["masked"] = [["golgi"], []]
    wanted, masked = targets(split, ["er", "golgi"]), masks(split, ["er", "golgi"])
    assert wanted["a1"].tolist() == [1, 0] and wanted["a2"].tolist() == [0, 1]
    assert masked["a1"].tolist() == [False, True] and not masked["a2"].any()


def test_thresholds_have_the_highest_f1_of_all():
    rng = np.random.default_rng(0)
    truth = rng.random((60, 3)) < [0.5, 0.2, 0.0]
    scores = np.clip(truth * 0.3 + rng.random((60, 3)) * 0.7, 0, 1).round(2)
    found = thresholds(scores, truth)
    for column, cut in enumerate(found[:2]):
        wanted, of_class = truth[:, column], scores[:, column]
        tried = [f1_score(wanted, of_class > other) for other in np.linspace(-0.005, 1.005, 102)]
        assert f1_score(wanted, of_class > cut) == pytest.approx(max(tried))
    assert found[2] == 0.5


def test_labels_are_the_likeliest_and_under_multi_also_all_above_a_threshold():
    scores = np.array([[0.2, 0.4, 0.4], [0.6, 0.7, 0.1]])
    assert decide(scores, "single").tolist() == [[False, True, False], [False, True, False]]
    assert decide(scores, "multi").tolist() == [[False, True, False], [True, True, False]]
    cuts = np.array([0.1, 0.8, 0.9])
    assert decide(scores, "multi", cuts).tolist() == [[True, True, False], [True, True, False]]
