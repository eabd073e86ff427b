from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from protloc.decide import decide
from protloc.errors import InputError
from protloc.evaluate.annotated import any_annotated, label_ceiling
from protloc.evaluate.bootstrap import by_protein, interval, resample, weights
from protloc.evaluate.f1 import count, macro, macro_of_present, micro
from protloc.evaluate.levels import levels
from protloc.evaluate.padding import padding
from protloc.evaluate.probabilities import calibration_error, macro_average_precision
from protloc.evaluate.scores import score_route
from protloc.evaluate.shortcuts import shortcuts
from protloc.tables import read_table, write_table
from sklearn.metrics import average_precision_score, f1_score
from sklearn.preprocessing import MultiLabelBinarizer
from subsets import as_predictions

CLASSES = ["chromatin", "er", "golgi", "vesicles"]
ROUTE = ["linear", "fov", "handmade", "none", 1.0]


def predictions(policy: str = "single", seeds: tuple[int, ...] = (0, 1), right: float = 0.7) -> pd.DataFrame:
    """Made-up predictions of 3 fields of each of 14 to 16 proteins, a few of which are in both seeds."""
    rows = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        for number in range(seed * 6, seed * 6 + 14 + seed):
            truth = {CLASSES[number % 4]} | ({CLASSES[number % 3]} if policy == "multi" else set())
            for field in range(3):
                scores = rng.dirichlet(np.ones(4)).astype(np.float32)
                if rng.random() < right:
                    scores = np.float32([0.7 if name in truth else 0.1 for name in CLASSES])
                predicted = {CLASSES[scores.argmax()]}
                if policy == "multi":
                    predicted |= {name for name, score in zip(CLASSES, scores, strict=True) if score > 0.5}
                rows.append(
                    {
                        "seed": seed,
                        "fov_id": f"FID{100 * number + field:08d}",
                        "gene": f"G{number:02d}",
                        "truth": sorted(truth),
                        "predicted": sorted(predicted),
                        "classes": CLASSES,
                        "probabilities": scores,
                        "thresholds": [],
                    }
                )
    table = pd.DataFrame(rows).assign(split_unit="protein", label_policy=policy, fraction=0.5)
    return as_predictions(table)


def indicators(run: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    binarizer = MultiLabelBinarizer(classes=CLASSES)
    return binarizer.fit_transform(run["truth"]), binarizer.transform(run["predicted"])


@pytest.mark.parametrize("policy", ["single", "multi"])
def test_scores_are_those_of_scikit_learn(policy):
    table = predictions(policy)
    metrics, _, _ = score_route(table, ROUTE, 50, "predictions.parquet")
    values = metrics.set_index(["seed", "metric"])["value"]
    for seed, run in table.groupby("seed"):
        for average in ("macro", "micro"):
            expected = f1_score(*indicators(run), average=average, zero_division=0)
            assert values[seed, f"{average}_f1"] == pytest.approx(expected, abs=1e-12)
        each = f1_score(*indicators(run), average=None, zero_division=0)
        assert [values[seed, f"f1_{name}"] for name in CLASSES] == pytest.approx(each, abs=1e-12)
        truth, scores = indicators(run)[0], np.stack(run["probabilities"])
        ranked = [average_precision_score(truth[:, n], scores[:, n]) for n in range(4)]
        assert values[seed, "macro_average_precision"] == pytest.approx(np.mean(ranked), abs=1e-12)


def test_the_calibration_error_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(4) / 2, 300)
    truth = np.eye(4, dtype=bool)[rng.integers(4, size=300)]
    for policy in ("single", "multi"):
        said, hit = scores.ravel(), truth.ravel()
        if policy == "single":
            said, hit = scores.max(axis=1), truth[np.arange(300), scores.argmax(axis=1)]
        gap = 0.0
        for low in np.arange(15) / 15:
            inside = (said >= low) & ((said < low + 1 / 15) | (low > 0.9))
            if inside.any():
                gap += inside.mean() * abs(hit[inside].mean() - said[inside].mean())
        assert calibration_error(truth, scores, policy) == pytest.approx(gap, abs=1e-12)
    assert calibration_error(truth, truth.astype(float), "multi") == 0


def test_average_precision_is_over_the_classes_that_are_there():
    truth = np.array([[1, 0], [1, 0]], dtype=bool)
    assert macro_average_precision(truth, np.array([[0.9, 0.1], [0.2, 0.8]])) == 1


def test_a_class_never_true_nor_predicted_counts_as_0():
    truth = np.array([[1, 0, 0], [0, 1, 0]], dtype=bool)
    counts = count(truth, truth).sum(axis=0)
    assert macro(counts) == pytest.approx(2 / 3) == f1_score(truth, truth, average="macro", zero_division=0)
    assert macro_of_present(counts) == 1 and micro(counts) == 1
    assert np.isnan(macro_of_present(np.zeros((3, 4)))) and micro(np.zeros((3, 4))) == 0


def test_a_protein_is_predicted_from_the_mean_of_its_fields():
    scores = [[0.6, 0.4], [0.6, 0.4], [0.1, 0.9], [0.3, 0.7]]
    run = pd.DataFrame(
        {
            "fov_id": ["FID1", "FID2", "FID3", "FID4"],
            "gene": ["B", "B", "B", "A"],
            "truth": [["y"], ["y"], ["y"], ["x"]],
            "predicted": [["x"], ["x"], ["y"], ["y"]],
            "classes": [["x", "y"]] * 4,
            "probabilities": [np.float32(row) for row in scores],
            "thresholds": [[]] * len(scores),
        }
    )
    level = levels(as_predictions(run), "single")["test"]["protein_"]
    assert level.genes.tolist() == ["A", "B"]
    assert level.counts.tolist() == [[[0, 0], [0, 1], [1, 0]], [[0, 1], [0, 0], [0, 0]]]


@pytest.mark.parametrize("policy", ["single", "multi"])
def test_the_bootstrap_equals_a_plain_loop(policy):
    table = predictions(policy, seeds=(0, 1, 2))
    genes = np.unique(table["gene"].astype(str))
    runs = [levels(run, policy)["test"][""] for _, run in table.groupby("seed")]
    drawn = weights(len(genes), 40, ["protein", policy])
    expected = {"macro_f1": [], "micro_f1": []}
    for draw in drawn.T:
        times = dict(zip(genes, draw, strict=True))
        scores = {"macro_f1": [], "micro_f1": []}
        for _, run in table.groupby("seed"):
            repeated = run.loc[run.index.repeat(run["gene"].map(times))]
            if len(repeated):
                truth, guess = indicators(repeated)
                each = f1_score(truth, guess, average=None, zero_division=0)
                scores["macro_f1"].append(each[truth.any(axis=0)].mean())
                scores["micro_f1"].append(f1_score(truth, guess, average="micro", zero_division=0))
        for metric, values in scores.items():
            expected[metric].append(np.mean(values))
    of_runs = [resample(by_protein(run, genes), drawn) for run in runs]
    for metric in expected:
        bounds = interval(np.stack([of_run[metric] for of_run in of_runs]))
        assert bounds == pytest.approx(np.percentile(expected[metric], [2.5, 97.5]), abs=1e-12)


def test_the_summary_is_the_mean_over_seeds_inside_its_interval():
    table = predictions(seeds=(0, 1, 2))
    metrics, summary, _ = score_route(table, ROUTE, 500, "predictions.parquet")
    for row in summary.itertuples():
        values = metrics.loc[metrics["metric"] == row.metric, "value"]
        assert (row.runs, row.mean) == (3, pytest.approx(values.mean()))
        assert row.sd == pytest.approx(values.std(ddof=1))
        assert row.low < row.mean < row.high


def test_tables_fit_their_schemas_and_a_single_seed_has_no_deviation(tmp_path):
    tables = dict(
        zip(("metrics", "summary"), score_route(predictions(seeds=(0,)), ROUTE, 20, "p")[:2], strict=True)
    )
    for name, table in tables.items():
        write_table(name, table, tmp_path / name)
    assert read_table("metrics", tmp_path / "metrics")["k"].isna().all()
    assert read_table("summary", tmp_path / "summary")["sd"].isna().all()


def test_an_interval_depends_on_neither_order_nor_on_the_other_settings():
    table = predictions()
    _, alone, _ = score_route(table, ROUTE, 100, "p")
    more = pd.concat([table.assign(fraction=0.1), table.sample(frac=1, random_state=0)])
    _, both, _ = score_route(more, ROUTE, 100, "p")
    again = both[both["fraction"] == 0.5].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, again)
    bounds = both.pivot(index="metric", columns="fraction", values="low")
    assert (bounds[0.1] == bounds[0.5]).all()  # equal predictions, equal draws: fractions are paired


@pytest.mark.parametrize("guess", [["er"], []])
def test_a_constant_guess_has_an_interval(guess):
    table = predictions()
    table["predicted"] = [guess] * len(table)
    _, summary, _ = score_route(table, ROUTE, 100, "p")
    macro_f1 = summary.set_index("metric").loc["macro_f1"]
    assert 0 <= macro_f1["low"] <= macro_f1["mean"] <= macro_f1["high"] < 0.25


def test_a_perfect_guess_is_not_pulled_down_by_classes_that_a_draw_misses():
    table = predictions()
    table["predicted"] = table["truth"]
    _, summary, _ = score_route(table, ROUTE, 500, "p")
    assert (summary.set_index("metric").loc["macro_f1", ["mean", "low", "high"]] == 1).all()


def test_seeds_with_other_classes_are_refused():
    table = predictions()
    table.loc[0, "classes"] = CLASSES[:3]
    with pytest.raises(InputError, match=r"predictions\.parquet: classes differ between seeds"):
        score_route(table, ROUTE, 10, "predictions.parquet")


def test_shortcuts_are_shares_of_nearest_neighbours_beside_their_chance():
    cells = pd.DataFrame(
        [("a1", "A", "A1", "a2"), ("a2", "A", "A1", "a3"), ("a3", "A", "A2", "b1"), ("b1", "B", "B1", "a1")],
        columns=["cell_id", "gene", "fov_id", "nearest"],
    )
    cells = cells.assign(nearest=[[name, "other"] for name in cells["nearest"]])
    found = shortcuts(cells, cells)
    assert found["nearest_of_protein"] == 2 / 4  # a1 and a2
    assert found["nearest_of_protein_chance"] == pytest.approx((2 + 2 + 2 + 0) / 4 / 3)
    assert found["nearest_of_fov"] == 1 / 4  # a1
    assert found["nearest_of_fov_chance"] == pytest.approx((1 + 1 + 0 + 0) / 4 / 3)
    assert found["nearest_of_fov_in_protein"] == 1 / 2
    assert found["nearest_of_fov_in_protein_chance"] == pytest.approx(1 / 2)
    alone = cells[cells["fov_id"] == "A1"].assign(nearest=[["a2"], ["a1"]])
    assert "nearest_of_fov_in_protein" not in shortcuts(alone, alone)
    some = shortcuts(cells, cells[1:])  # the neighbours of some are among all
    assert some["nearest_of_protein"] == 1 / 3 and some["nearest_of_fov"] == 0
    assert some["nearest_of_protein_chance"] == pytest.approx((2 + 2 + 0) / 3 / 3)


def test_neighbours_of_padded_cells_are_counted_beside_their_chance():
    cells = pd.DataFrame(
        {"cell_id": ["a", "b", "c", "d", "e"], "padded_fraction": [0.2, 0.01, 0.0, 0.0, 0.0]}
    )
    cells["nearest"] = [["b", "c"], ["c", "a"], ["a", "d"], ["c", "a"], ["d", "a"]]
    found = padding(cells, cells)
    assert (found["padded_cells"], found["unpadded_cells"]) == (2, 3)
    assert found["nearest_of_padded_is_padded"] == 1 / 2  # a
    assert found["nearest_of_padded_is_padded_chance"] == pytest.approx(1 / 4)
    assert found["nearest_of_unpadded_is_padded"] == pytest.approx(1 / 3)  # c
    assert found["nearest_of_unpadded_is_padded_chance"] == pytest.approx(2 / 4)
    alone = cells[2:].assign(nearest=[["d"], ["c"], ["d"]])
    some = padding(cells, cells[1:])  # the neighbours of some are among all
    assert some["padded_cells"] == 1 and some["nearest_of_padded_is_padded"] == 0
    assert some["nearest_of_padded_is_padded_chance"] == pytest.approx(1 / 4)
    assert padding(alone, alone) == {"padded_cells": 0, "unpadded_cells": 3}


def annotated(policy: str = "single", masked: bool = True) -> pd.DataFrame:
    """Two fields of each of four proteins in validation and in test; A and B have a weaker annotation."""
    given = {"A": (["x"], ["x", "y"]), "B": (["y"], ["y", "z"]), "C": (["z"], ["z"]), "D": (["x"], ["x"])}
    scores = {"A": [0.3, 0.6, 0.1], "B": [0.5, 0.4, 0.1], "C": [0.1, 0.2, 0.7], "D": [0.6, 0.2, 0.2]}
    rows = [
        {"subset": subset, "fov_id": f"FID{gene}{field}", "gene": gene, "truth": truth, "annotated": several}
        | {"masked": sorted(set(several) - set(truth)) if masked else [], "clean": len(several) == 1}
        | {"probabilities": np.float32(scores[gene])}
        for subset in ("validation", "test")
        for gene, (truth, several) in given.items()
        for field in (0, 1)
    ]
    table = as_predictions(pd.DataFrame(rows).assign(seed=0, split_unit="protein", fraction=1.0))
    classes = ["x", "y", "z"]
    out = np.array([np.isin(classes, names) for names in table["masked"]])
    decided = decide(np.stack(table["probabilities"]), policy, None, out)
    table["predicted"] = [list(np.compress(row, classes)) for row in decided]
    cuts = [[0.5] * 3 if policy == "multi" else []] * len(table)
    return table.assign(label_policy=policy, classes=[classes] * len(table), thresholds=cuts)


def values_of(table: pd.DataFrame) -> pd.Series:
    metrics, _, _ = score_route(table, ROUTE, 20, "p")
    return metrics[metrics["subset"] == "test"].set_index("metric")["value"]


def test_a_masked_annotation_is_neither_right_nor_wrong_and_a_negative_one_is_wrong():
    masked, negative = (values_of(annotated(masked=masked)) for masked in (True, False))
    # A is said to be y (its weaker annotation), then x; B is said to be x, which it is not.
    assert negative["micro_f1"] == pytest.approx(2 / 4) and masked["micro_f1"] == pytest.approx(3 / 4)
    assert negative["f1_x"] == pytest.approx(1 / 2) and masked["f1_x"] == pytest.approx(4 / 5)
    assert masked["protein_micro_f1"] == pytest.approx(3 / 4)


def test_masked_pairs_count_as_nothing_under_several_labels():
    table = annotated("multi")
    table["predicted"] = [
        sorted({*names, *more}) for names, more in zip(table["predicted"], table["masked"], strict=True)
    ]
    assert values_of(table)["micro_f1"] == values_of(annotated("multi"))["micro_f1"]
    wrong = annotated("multi", masked=False)
    wrong["predicted"] = table["predicted"]
    assert values_of(wrong)["micro_f1"] < values_of(table)["micro_f1"]


@pytest.mark.parametrize("masked", [True, False])
def test_an_annotated_class_is_accepted_whatever_its_grade_and_clean_labels_are_scored_alone(masked):
    values = values_of(annotated(masked=masked))
    assert values["any_annotated"] == pytest.approx(3 / 4)  # B is said to be x
    assert values["clean_macro_f1"] == 1  # of C and D, both right


def test_the_label_ceiling_is_what_a_reader_of_all_annotations_scores_on_average():
    level = levels(annotated(masked=False), "single")["test"][""]
    named = [np.flatnonzero(row) for row in level.annotated]
    rng, scores = np.random.default_rng(0), []
    for _ in range(4000):
        guess = np.eye(3, dtype=bool)[[rng.choice(of_one) for of_one in named]]
        scores.append(count(level.truth, guess).sum(axis=0))
    assert label_ceiling(level, "single") == pytest.approx(macro(np.mean(scores, axis=0)), abs=0.01)
    assert label_ceiling(level, "single") < 0.9
    assert label_ceiling(levels(annotated(), "single")["test"][""], "single") == 1
    several = label_ceiling(levels(annotated("multi", masked=False), "multi")["test"][""], "multi")
    assert several == pytest.approx(macro(count(level.truth, level.annotated).sum(axis=0)))
    assert label_ceiling(levels(annotated("multi"), "multi")["test"][""], "multi") == 1


def test_what_is_not_masked_is_calibrated_and_ranked():
    level = levels(annotated(), "single")["test"][""]
    given = np.array([[0.3, 0.0, 0.1], [0.5, 0.4, 0.0], [0.1, 0.2, 0.7], [0.6, 0.2, 0.2]]).repeat(2, axis=0)
    given /= given.sum(axis=1, keepdims=True)
    alone = calibration_error(level.truth, given, "single")
    assert calibration_error(level.truth, level.probabilities, "single", level.masked) == pytest.approx(alone)
    assert any_annotated(level).shape == (8, 3, 1)
    ranks = values_of(annotated())["macro_average_precision"]
    of_classes = zip(level.truth.T, level.probabilities.T, ~level.masked.T, strict=True)
    expected = [average_precision_score(truth[kept], scores[kept]) for truth, scores, kept in of_classes]
    assert ranks == pytest.approx(np.mean(expected)) and ranks < 1


def test_thresholds_of_averages_are_chosen_on_averages_of_validation():
    """The mean of a protein's fields lies nearer to the middle: the fields' threshold finds nothing."""
    rows = []
    for subset in ("validation", "test"):
        for number in range(8):
            truth = ["x"] if number < 4 else ["y"]
            for field in range(2):
                high = 0.9 if (number < 4 and field == 0) else 0.1
                rows.append(
                    {"subset": subset, "fov_id": f"FID{subset}{number}{field}", "gene": f"{subset}{number}"}
                    | {"truth": truth, "probabilities": np.float32([high, 0.95]), "predicted": truth}
                )
    table = as_predictions(pd.DataFrame(rows).assign(classes=[["x", "y"]] * len(rows)))
    run = table.assign(thresholds=[np.float32([0.8, 0.5])] * len(table))
    counts = levels(run, "multi")["test"]["protein_"].counts.sum(axis=0)
    assert counts[:, 0].tolist() == [4, 0, 0]  # by the fields' threshold of 0.8 all four would be missed
    without = levels(run[run["subset"] == "test"], "multi")["test"]["protein_"].counts.sum(axis=0)
    assert without[:, 0].tolist() == [0, 0, 4]


def test_both_subsets_are_scored_with_intervals_and_only_test_is_compared(tmp_path):
    both = pd.concat([predictions(right=0.9).assign(subset="validation"), predictions(right=0.5)])
    metrics, summary, sides = score_route(both, ROUTE, 100, "p")
    for name, table in (("metrics", metrics), ("summary", summary)):
        write_table(name, table, tmp_path / name)
    alone = score_route(predictions(right=0.5), ROUTE, 100, "p")
    pd.testing.assert_frame_equal(
        summary[summary["subset"] == "test"].reset_index(drop=True), alone[1].reset_index(drop=True)
    )
    means = summary[summary["metric"] == "macro_f1"].set_index("subset")
    assert means.loc["validation", "low"] > means.loc["test", "high"]
    assert [side.values.tolist() for side in sides] == [side.values.tolist() for side in alone[2]]
    assert (means["groups_trained"] == 10).all()
