from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from protloc.decide import decide
from protloc.errors import InputError
from protloc.probe.logistic import fit, probabilities
from protloc.probe.runs import _standardized, probe_split
from protloc.splits.table import make_split
from protloc.tables import write_table
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

SETTINGS = {"inverse_l2": [0.01, 0.1], "max_iterations": 1000, "fractions": [0.2, 1.0]}


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def study(classes: int = 4, per_class: int = 12, several: bool = False) -> pd.DataFrame:
    labels = {f"G{n:03d}": [f"class_{n % classes}"] for n in range(classes * per_class)}
    if several:
        labels = {gene: sorted({*own, f"class_{n % 3}"}) for n, (gene, own) in enumerate(labels.items())}
    fovs = pd.DataFrame(
        [(f"FID{10 * n + m:08d}", gene) for n, gene in enumerate(labels) for m in range(3)],
        columns=["fov_id", "gene"],
    ).assign(status="ok")
    shares = {"test_share": 0.25, "validation_share": 0.15, "fractions": SETTINGS["fractions"]}
    return make_split(fovs, labels, unit="protein", seeds=[0, 1], **shares)


def vectors_of(split: pd.DataFrame, dimension: int = 400, noise: float = 1.0) -> dict[str, np.ndarray]:
    """Vectors that hold a direction of each label, and noise."""
    rng = np.random.default_rng(0)
    classes = sorted(split["labels"].explode().unique())
    directions = dict(zip(classes, rng.normal(size=(len(classes), dimension)), strict=True))
    one = split.drop_duplicates("fov_id")
    return {
        fov: np.float32(sum(directions[label] for label in labels) + noise * rng.normal(size=dimension))
        for fov, labels in zip(one["fov_id"], one["labels"], strict=True)
    }


def probe(vectors: dict[str, np.ndarray], split: pd.DataFrame, policy: str = "single") -> pd.DataFrame:
    return pd.concat(probe_split(vectors, split, unit="protein", policy=policy, **SETTINGS))


@pytest.mark.parametrize("policy", ["single", "multi"])
def test_vectors_that_hold_the_labels_are_read_and_fit_the_schema(policy, tmp_path):
    split = study(several=policy == "multi")
    predictions = probe(vectors_of(split), split, policy)
    whole = predictions[predictions["fraction"] == 1]
    assert (whole["truth"].map(list) == whole["predicted"].map(list)).mean() > 0.9
    write_table("predictions", predictions, tmp_path / "predictions.parquet")
    assert len(predictions) == 2 * (split["part"] == "test").sum()


def test_only_the_training_part_of_a_fraction_is_learned_from():
    split = study()
    vectors = vectors_of(split)
    outside = split.loc[(split["seed"] == 0) & (split["fraction"] > 0.2), "fov_id"]
    changed = vectors | {fov: np.float32(100 + vectors[fov]) for fov in outside}
    small = [
        rows[(rows["seed"] == 0) & (rows["fraction"] == 0.2)]["probabilities"]
        for rows in (probe(vectors, split), probe(changed, split))
    ]
    assert len(outside) and np.array_equal(*map(np.stack, small))


@pytest.mark.parametrize("policy", ["single", "multi"])
def test_equal_vectors_give_the_majority_guess(policy):
    split = study(several=policy == "multi")
    most = {
        (seed, fraction): of_seed.loc[of_seed["fraction"] <= fraction, "labels"].explode().value_counts()
        for seed, of_seed in split.groupby("seed")
        for fraction in SETTINGS["fractions"]
    }
    predictions = probe(dict.fromkeys(split["fov_id"], np.ones(1, np.float32)), split, policy)
    for run, rows in predictions.groupby(["seed", "fraction"]):
        guess = rows["predicted"].map(tuple).unique()
        assert len(guess) == 1
        assert sorted(most[run].index[most[run] == most[run].max()])[0] in guess[0]


@pytest.mark.parametrize("policy", ["single", "multi"])
def test_a_training_part_of_one_class_predicts_it_and_is_reported(policy, caplog):
    split = study(classes=2)
    only = split["labels"].map(lambda labels: labels == ["class_1"])
    split = split[only | (split["part"] != "train")]
    predictions = probe(vectors_of(split), split, policy)
    assert predictions["predicted"].map(list).map(lambda labels: labels == ["class_1"]).all()
    assert "all training fields are class_1" in caplog.text


@pytest.mark.parametrize("policy", ["single", "multi"])
def test_a_class_without_training_fields_has_probability_0_and_is_reported(policy, caplog):
    split = study()
    absent = split["labels"].map(lambda labels: labels == ["class_2"]) & (split["part"] == "train")
    predictions = probe(vectors_of(split), split[~absent], policy)
    assert (np.stack(predictions["probabilities"])[:, 2] == 0).all()
    assert "no training field, so never predicted: class_2" in caplog.text


def test_coordinates_of_the_training_images_leave_the_optimum_where_it_is():
    split = study()
    vectors = vectors_of(split, noise=4.0)
    parts = {name: split[(split["part"] == name) & (split["seed"] == 0)] for name in ("train", "test")}
    truth = np.stack([np.eye(4, dtype=bool)[int(labels[0][-1])] for labels in parts["train"]["labels"]])
    inputs = _standardized(vectors, parts)
    assert inputs["train"].shape == (len(truth), len(truth)) and len(truth) < 400
    ours = probabilities(fit(inputs["train"], truth, "single", 0.01, 1000), inputs["test"], 4)
    raw = {
        name: np.stack([vectors[fov] for fov in part["fov_id"]]).astype(float) for name, part in parts.items()
    }
    scaler = StandardScaler().fit(raw["train"])
    plain = LogisticRegression(C=0.01, max_iter=5000, tol=1e-8).fit(
        scaler.transform(raw["train"]), truth.argmax(axis=1)
    )
    assert ours == pytest.approx(plain.predict_proba(scaler.transform(raw["test"])), abs=1e-3)


def test_results_are_the_same_twice():
    split = study()
    vectors = vectors_of(split, noise=5.0)
    first, second = probe(vectors, split), probe(vectors, split)
    assert np.array_equal(np.stack(first["probabilities"]), np.stack(second["probabilities"]))


def test_a_probe_that_has_not_converged_is_refused():
    rng = np.random.default_rng(0)
    truth = np.eye(3, dtype=bool)[rng.integers(3, size=60)]
    with pytest.raises(InputError, match="no convergence within 2 iterations at inverse_l2 1; raise"):
        fit(rng.normal(size=(60, 20)), truth, "single", 1.0, 2)


def test_leaks_missing_vectors_and_empty_fractions_are_refused():
    split = study()
    vectors = vectors_of(split)
    leaking = pd.concat([split, split[split["part"] == "test"].assign(part="train", fraction=1.0)])
    with pytest.raises(InputError, match="lies in several parts"):
        probe(vectors, leaking)
    with pytest.raises(InputError, match="1 fields of the split have no vector, the first FID00000000"):
        probe({fov: vector for fov, vector in vectors.items() if fov != "FID00000000"}, split)
    with pytest.raises(InputError, match=r"fraction 0\.2 holds no field"):
        probe(vectors, split[~(split["fraction"] <= 0.2)])


def test_the_choice_of_penalty_is_logged(caplog):
    split = study()
    with caplog.at_level(logging.INFO):
        probe(vectors_of(split), split)
    assert "macro F1 on validation by inverse_l2: 0.01: " in caplog.text


def test_labels_are_the_likeliest_and_under_multi_also_all_above_one_half():
    scores = np.array([[0.2, 0.4, 0.4], [0.6, 0.7, 0.1]])
    assert decide(scores, "single").tolist() == [[False, True, False], [False, True, False]]
    assert decide(scores, "multi").tolist() == [[False, True, False], [True, True, False]]
