from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from protloc.config.settings import Probe
from protloc.heads import logistic
from protloc.heads.adam import AdamW
from protloc.heads.data import RunData, run_data
from protloc.heads.fit import fit_heads
from protloc.heads.lbfgs import MEMORY, MOST, Value, minimize
from protloc.heads.likelihood import Likelihood
from protloc.heads.likelihood import probabilities as numpy_probabilities
from protloc.heads.logistic import fit_logistic
from protloc.heads.stack import Heads
from protloc.macro_f1 import macro_f1
from protloc.objective import losses, probabilities
from protloc.runs import plan
from protloc.standard_scores import BOUND, FLOOR, standard_scores
from protloc.variants import Variant
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from test_probe import NO_PROTEINS, study, vectors_of

SWEEP = Probe().c
SETTINGS = Probe(epochs=6, patience=3, min_steps=4, weight_decay=[0.1, 1.0]).model_dump(exclude={"heads"})


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


def data_of(
    split: pd.DataFrame, vectors: np.ndarray, policy: str = "single", fraction: float = 1.0, **settings
) -> list[RunData]:
    """The data of a run per seed; vectors are in the order of the ids of their fields."""
    place = pd.Index(sorted(set(split["fov_id"])))
    runs = plan({("protein", policy): split}, [fraction], [], Variant("none"))
    return [run_data(run, place, vectors, NO_PROTEINS, SETTINGS | settings) for run in runs]


def heavy_tailed(split: pd.DataFrame, dimension: int = 300, noise: float = 3.0) -> np.ndarray:
    """Features as after a ReLU: most are 0, some in nearly all images, few are large."""
    chance = np.random.default_rng(1)
    _, vectors = vectors_of(split, dimension, noise)
    gain = chance.lognormal(0, 1.5, dimension)
    active = np.maximum(vectors / vectors.std() - chance.uniform(-0.5, 3.5, dimension), 0)
    return np.float32(gain * active**1.5)


# Standard scores


def test_standard_scores_are_bounded_on_any_vectors_and_have_mean_0_and_deviation_1_in_training():
    vectors = heavy_tailed(study(seeds=[0]))
    training, others = vectors[:60], vectors[60:]
    scores = standard_scores(training)
    used = scores.scale > 0
    found = scores(others)
    raw = (others.astype(float) - training.mean(0)) / np.maximum(training.std(0), 1e-12)
    assert found.dtype == np.float32 and np.abs(found).max() <= BOUND < np.abs(raw).max()
    assert scores.beyond(others) == (np.abs(raw[:, used]) > BOUND).sum() > 0
    assert scores(training)[:, used].std(0) == pytest.approx(1, abs=0.05)
    assert 0 < scores.left_out == (~used).sum() < 150


@pytest.mark.parametrize("varies", [0.0, 1e-7, 0.5 * FLOOR])
def test_directions_that_hardly_vary_are_left_out_and_do_not_shift_the_floor(varies):
    chance = np.random.default_rng(0)
    vectors = np.float32(chance.normal(size=(80, 40)) * np.geomspace(0.05, 5, 40))
    typical = np.median(vectors.std(0))
    more = np.float32(0.3 + varies * typical * chance.normal(size=(80, 100)).clip(-1, 1))
    alone, mixed = standard_scores(vectors), standard_scores(np.hstack([vectors, more]))
    assert np.array_equal(mixed.scale[:40], alone.scale) and alone.scale.all()
    assert not mixed.scale[40:].any()


@pytest.mark.parametrize("head", ["logistic", "linear", "mlp"])
@pytest.mark.parametrize("kind", ["zero", "constant", "nearly constant"])
def test_a_hundred_directions_that_hardly_vary_in_training_change_no_prediction(head, kind):
    split = study(classes=5, seeds=[0])
    vectors = heavy_tailed(split)
    (data,) = data_of(split, vectors)
    chance = np.random.default_rng(2)
    more = np.full((len(vectors), 100), 0.0 if kind == "zero" else 0.7, np.float32)
    if kind == "nearly constant":
        more += np.float32(1e-4 * chance.normal(size=more.shape))
    outside = np.setdiff1d(np.arange(len(vectors)), data.rows["train"])
    more[outside] += np.float32(chance.exponential(5, (len(outside), 100)))  # elsewhere it says something
    wide = np.hstack([vectors[:, :100], more, vectors[:, 100:]])
    (without,) = fit_heads(vectors, [data], head, SETTINGS)
    (with_more,) = fit_heads(wide, data_of(split, wide), head, SETTINGS)
    for part in ("validation", "test"):
        before, after = without.probabilities[part], with_more.probabilities[part]
        assert np.array_equal(before.argmax(1), after.argmax(1))
        assert np.abs(before - after).max() < 2e-3
    assert len(set(without.probabilities["test"].argmax(1))) > 2


def test_what_is_left_out_and_clipped_is_logged(caplog):
    caplog.set_level(logging.INFO)
    split = study(seeds=[0])
    data_of(split, heavy_tailed(split), fraction=0.2)
    [line] = [record.getMessage() for record in caplog.records if "entries clipped" in record.getMessage()]
    assert "of 300 directions hardly vary in training and are left out" in line
    assert not line.endswith("0, 0 and 0")


# Logistic regression


def reference(data: RunData, vectors: np.ndarray, strength: float, policy: str) -> np.ndarray:
    """scikit-learn's test probabilities."""
    train, test = (data.standard(vectors, part).astype(np.float64) for part in ("train", "test"))
    model = LogisticRegression(C=strength, max_iter=10_000, tol=1e-8)
    if policy == "multi":
        return OneVsRestClassifier(model).fit(train, data.targets["train"].astype(int)).predict_proba(test)
    return model.fit(train, data.targets["train"].argmax(1)).predict_proba(test)


@pytest.mark.parametrize("strength", [1e-3, 1e-1, 10.0])
@pytest.mark.parametrize("dimension", [30, 300])
@pytest.mark.parametrize("policy", ["single", "multi"])
def test_a_logistic_regression_converges_to_scikit_learn_s(policy, dimension, strength, monkeypatch):
    monkeypatch.setattr(logistic, "TOLERANCE", 1e-5)
    split = study(classes=5, several=policy == "multi", seeds=[0])
    _, vectors = vectors_of(split, dimension, noise=4.0)
    (data,) = data_of(split, vectors, policy)
    ours = fit_logistic(vectors, data, [strength]).probabilities["test"]
    assert np.abs(ours - reference(data, vectors, strength, policy)).max() < 0.02


def chosen_by_scikit_learn(data: RunData, vectors: np.ndarray) -> float:
    """Test macro F1 of its logistic regression, with the C of the highest macro F1 on validation."""
    found = []
    for strength in SWEEP[::4]:
        model = LogisticRegression(C=strength, max_iter=5000)
        model.fit(data.standard(vectors, "train"), data.targets["train"].argmax(1))
        said = {part: model.predict(data.standard(vectors, part)) for part in ("validation", "test")}
        scores = {
            part: macro_f1(data.truth[part], np.eye(len(data.weights), dtype=bool)[of])
            for part, of in said.items()
        }
        found.append((scores["validation"], scores["test"]))
    return max(found, key=lambda of: of[0])[1]


def test_the_chosen_regression_is_as_good_as_scikit_learn_s_on_heavy_tailed_features():
    split = study(classes=5, per_class=16, seeds=range(6))
    vectors = heavy_tailed(split)
    data = data_of(split, vectors)
    ours = [
        macro_f1(of.truth["test"], np.eye(5, dtype=bool)[fitted.probabilities["test"].argmax(1)])
        for of, fitted in zip(data, fit_heads(vectors, data, "logistic", SETTINGS), strict=True)
    ]
    theirs = [chosen_by_scikit_learn(of, vectors) for of in data]
    assert 0.4 < np.mean(theirs) < 0.95
    assert np.mean(ours) > np.mean(theirs) - 0.02


def test_c_is_chosen_by_macro_f1_on_validation_alone(caplog):
    split = study(classes=5, seeds=[0])
    _, vectors = vectors_of(split, 60, noise=5.0)
    (data,) = data_of(split, vectors)
    fitted = fit_logistic(vectors, data, SWEEP)
    alone = {of: fit_logistic(vectors, data, [of]) for of in SWEEP[::3]}
    assert fitted.f1 >= max(of.f1 for of in alone.values()) - 0.05  # one image more or less
    assert "not converged" not in caplog.text
    shuffled = np.random.default_rng(0).permutation(data.truth["test"])
    other = RunData(**vars(data) | {"truth": data.truth | {"test": shuffled}})
    assert fit_logistic(vectors, other, SWEEP).chosen == fitted.chosen


def test_a_choice_at_the_edge_of_what_was_tried_is_said():
    split = study(classes=5, seeds=[0])
    _, vectors = vectors_of(split, 60, noise=2.0)
    (data,) = data_of(split, vectors)
    assert "C 1e-05 is at the edge" in fit_logistic(vectors, data, [1e-6, 1e-5]).edge
    assert fit_logistic(vectors, data, SWEEP).edge is None
    (linear,) = fit_heads(vectors, [data], "linear", SETTINGS | {"epochs": 1, "weight_decay": [1.0]})
    assert linear.edge == "step 4 is the last; raise probe.epochs"


def test_the_minimum_of_a_known_function_is_found():
    scale = np.logspace(0, 4, 20)[:, None]

    def function(point: np.ndarray) -> Value:
        value = (scale * (point - 3) ** 2).sum() / 2 + ((point - 3) ** 4).sum()
        return Value(float(value), scale * (point - 3) + 4 * (point - 3) ** 3)

    found = minimize(function, np.zeros((20, 1)), scale + 12 * 9, 1e-3)
    assert found.converged and found.point == pytest.approx(3.0, abs=1e-2)


def test_a_search_goes_on_when_its_memory_is_full():
    scale, calls = np.logspace(0, 5, 60)[:, None], []
    guess = scale * np.random.default_rng(0).uniform(0.1, 10, scale.shape)

    def function(point: np.ndarray) -> Value:
        calls.append(point)
        return Value(float((scale * (point - 1) ** 2).sum() / 2), scale * (point - 1))

    found = minimize(function, np.zeros((60, 1)), guess, 1e-4)
    assert found.converged and found.point == pytest.approx(1.0, abs=1e-3)
    assert 3 * MEMORY < len(calls) < MOST


# Objective


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("policy", ["single", "multi"])
def test_a_regression_s_loss_is_that_of_other_heads_and_has_its_derivatives(policy, masks):
    split = study(several=policy == "multi", seeds=[0])
    (data,) = data_of(split, vectors_of(split)[1], policy)
    chance = np.random.default_rng(0)
    rows, classes = data.targets["train"].shape
    masked = (chance.random((rows, classes)) < 0.3 * masks) & (data.targets["train"] == 0)
    weights = chance.random(classes, np.float32)
    changed = {"masked": data.masked | {"train": masked}, "weights": weights}
    loss = Likelihood(RunData(**vars(data) | changed), "train")
    logits = chance.normal(size=(rows, classes))
    given = [torch.tensor(of, dtype=torch.float64) for of in (logits, data.targets["train"], weights)]
    given[0].requires_grad_()
    wanted = losses(*given, policy, torch.tensor(masked))
    lost, slopes = loss(logits)
    assert lost == pytest.approx(wanted.detach().numpy(), rel=1e-5)
    (gradient,) = torch.autograd.grad(wanted.sum(), given[0])
    assert slopes == pytest.approx(gradient.numpy(), abs=1e-6)
    one = np.zeros(classes)
    one[2] = 1e-5
    steeper = ((loss(logits + one)[1] - slopes) / 1e-5)[:, 2].sum()
    assert loss.curvature(logits)[2] == pytest.approx(steeper, rel=1e-3)
    said = numpy_probabilities(logits, data.present, policy)
    theirs = probabilities(given[0], torch.tensor(data.present), policy)
    assert said == pytest.approx(theirs.detach().numpy(), abs=1e-6)


@pytest.mark.parametrize("head", ["logistic", "linear"])
@pytest.mark.parametrize("policy", ["single", "multi"])
def test_masked_classes_are_neither_learned_nor_unlearned(policy, head):
    split = study(several=policy == "multi", seeds=[0])
    _, vectors = vectors_of(split, 40)
    labels = split["labels"].map(list)
    masked = labels.map(lambda of: ["class_3"] if "class_3" not in of else [])
    (data,) = data_of(split.assign(masked=masked), vectors, policy)
    assert data.masked["train"][:, 3].sum() == (data.targets["train"][:, 3] == 0).sum() > 0
    (plain,) = fit_heads(vectors, data_of(split, vectors, policy), head, SETTINGS)
    (fitted,) = fit_heads(vectors, [data], head, SETTINGS)
    said, before = (of.probabilities["test"][:, 3].mean() for of in (fitted, plain))
    assert said > 1.05 * before  # nothing speaks against the class any more


def test_masks_change_nothing_where_there_are_none():
    logits, targets = torch.randn(4, 3), torch.eye(3)[[0, 1, 2, 0]]
    none = torch.zeros(4, 3, dtype=torch.bool)
    for policy in ("single", "multi"):
        assert torch.equal(
            losses(logits, targets, torch.ones(3), policy),
            losses(logits, targets, torch.ones(3), policy, none),
        )
        assert torch.equal(probabilities(logits, ~none, policy), probabilities(logits, ~none, policy, none))


# Packs


@pytest.mark.parametrize(
    ("policy", "head"),
    [
        ("single", "logistic"),
        ("multi", "logistic"),
        ("single", "linear"),
        ("multi", "linear"),
        ("single", "mlp"),
    ],
)
def test_heads_together_are_to_the_bit_what_each_is_alone(policy, head):
    split = study(several=policy == "multi", seeds=range(13))
    _, vectors = vectors_of(split, dimension=74, noise=3.0)
    data = data_of(split, vectors, policy)
    settings = SETTINGS | {"learning_rate": {"linear": 0.03, "mlp": 0.03}, "c": SWEEP[8:24:4]}
    together = fit_heads(vectors, data, head, settings)
    assert len({found.chosen for found in together}) > 1  # heads stop at their own time
    for number in (0, 12):
        for company in ([number], [3, number, 11]):
            pack = fit_heads(vectors, [data[of] for of in company], head, settings)
            alone, found = pack[company.index(number)], together[number]
            assert (alone.chosen, alone.f1, alone.loss) == (found.chosen, found.f1, found.loss)
            for layer, other in zip(alone.layers, found.layers, strict=True):
                assert all(map(np.array_equal, layer, other))
            for part in ("validation", "test"):
                assert np.array_equal(alone.probabilities[part], found.probabilities[part])


def test_layers_on_standard_scores_give_the_probabilities():
    split = study(seeds=[0])
    _, vectors = vectors_of(split)
    (data,) = data_of(split, vectors)
    for head in ("logistic", "linear", "mlp"):
        (fitted,) = fit_heads(vectors, [data], head, SETTINGS)
        found = torch.from_numpy(data.standard(vectors, "test"))
        for weights, biases in fitted.layers:
            found = found.relu() if weights is not fitted.layers[0][0] else found
            found = found @ torch.from_numpy(weights) + torch.from_numpy(biases)
        assert np.abs(found.softmax(1).numpy() - fitted.probabilities["test"]).max() < 1e-5


def test_a_head_that_only_gets_worse_stays_as_it_was_at_first():
    split = study(seeds=[0])
    _, vectors = vectors_of(split)
    (data,) = data_of(split, vectors)
    wrong = RunData(**vars(data) | {"targets": data.targets | {"train": 1 - data.targets["train"]}})
    (fitted,) = fit_heads(vectors, [wrong], "linear", SETTINGS | {"weight_decay": [1.0]})
    assert fitted.chosen.startswith("step 0") and "nothing was learned" in fitted.edge


def test_steps_are_those_of_torch_s_adamw():
    ours = [torch.nn.Parameter(torch.randn(2, 16, 16)) for _ in range(2)]
    theirs = [torch.nn.Parameter(of.detach().clone()) for of in ours]
    optimizer = AdamW(ours, ours[:1], torch.full((2, 1, 1), 0.3))
    groups = [{"params": [of], "weight_decay": decay} for of, decay in zip(theirs, (0.3, 0.0), strict=True)]
    rival = torch.optim.AdamW(groups, lr=0.01)
    for _ in range(20):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        optimizer.step(0.01)
        rival.step()
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(ours, theirs, strict=True))


def test_heads_start_from_nothing_but_their_seed():
    used = [np.ones(30, bool)] * 2
    first, second = (Heads(30, (16,), 3, 0.5, seeds, used) for seeds in ([[1], [2]], [[2], [3]]))
    assert torch.equal(first.weights[0][1], second.weights[0][0])
    assert not torch.equal(first.weights[0][0], first.weights[0][1])
    assert not first.weights[0][:, 30:].any() and not first.weights[1].any()


def test_balanced_classes_count_the_same():
    split = study()
    few = split["labels"].map(lambda labels: labels == ["class_1"]) & (split["part"] == "train")
    split = split[~few | (split["fov_id"].str.endswith("0"))]
    data = data_of(split[split["seed"] == 0], vectors_of(split)[1], balance=True)[0]
    sums = (data.targets["train"] * data.weights).sum(axis=0)
    assert sums == pytest.approx(np.full(4, sums[0])) and data.weights[1] > 2
