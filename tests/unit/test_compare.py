from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from coverages import coverage
from protloc.errors import InputError
from protloc.evaluate.bootstrap import by_protein, interval, resample, weights
from protloc.evaluate.enough import enough
from protloc.evaluate.f1 import macro_of_present
from protloc.evaluate.holm import holm
from protloc.evaluate.levels import levels
from protloc.evaluate.paired import Side, compare, two_sided
from protloc.evaluate.study import score_study
from protloc.tables import read_table, write_table
from scipy.stats import bootstrap, permutation_test
from sklearn.metrics import f1_score
from subsets import as_predictions, in_both_subsets

CLASSES = ["chromatin", "er", "golgi", "vesicles"]
LEVEL_SETTING = ("fov", "protein", "single", 1.0, 0, None, "macro_f1")


def predictions(right: float, chance: int, seeds=(0, 1, 2), classes=CLASSES, proteins=40) -> pd.DataFrame:
    """Made-up predictions of 3 fields of 24 of the proteins in each seed; `chance` seeds the errors."""
    rows = []
    for seed in seeds:
        rng = np.random.default_rng([seed, chance])
        for number in np.sort(np.random.default_rng(seed).choice(proteins, 24, replace=False)):
            truth = int(number) % len(classes)
            for field in range(3):
                scores = rng.dirichlet(np.ones(len(classes)))
                scores[truth] += 2 * (rng.random() < right)
                row = {"seed": seed, "fov_id": f"FID{100 * number + field:08d}", "gene": f"G{number:02d}"}
                row |= {"truth": [classes[truth]], "predicted": [classes[scores.argmax()]]}
                rows.append(row | {"probabilities": (scores / scores.sum()).astype(np.float32)})
    table = pd.DataFrame(rows).assign(split_unit="protein", label_policy="single", fraction=1.0)
    return as_predictions(table.assign(classes=[classes] * len(table), thresholds=[[]] * len(table)))


def study(folder: Path, tables: dict[tuple[str, str, str], pd.DataFrame], draws: int = 400, workers: int = 1):
    """The scores and comparisons of a study of these routes (task, backbone, strategy)."""
    jobs = []
    for (task, *route), table in tables.items():
        path = folder / f"{task}-{'-'.join(route)}.parquet"
        write_table("predictions", table.assign(strategy=route[-1], scale=1.0), path)
        jobs.append(("predictions", str(path), [task, "fov", *route, 1.0]))
    metrics, summary, sides = score_study(jobs, draws, workers)
    return metrics, summary, compare(sides)


def fields_only(comparisons: pd.DataFrame) -> pd.DataFrame:
    return comparisons[comparisons["metric"] == "macro_f1"].reset_index(drop=True)


TWO = {("linear", "good", "none"): predictions(0.8, 1), ("linear", "poor", "none"): predictions(0.5, 2)}


def test_an_interval_of_a_difference_is_that_of_a_plain_loop(tmp_path):
    metrics, _, comparisons = study(tmp_path, TWO, draws=60)
    genes = sorted(set(TWO["linear", "good", "none"]["gene"]))
    good, poor = TWO.values()
    differences = []
    for draw in weights(len(genes), 60, ["protein", "single"]).T:
        times = dict(zip(genes, draw.astype(int), strict=True))
        of_seeds = []
        for seed in (0, 1, 2):
            score = []
            for table in (good, poor):
                run = table[table["seed"] == seed]
                run = run.loc[run.index.repeat(run["gene"].map(times))]
                truth, guess = run["truth"].str[0], run["predicted"].str[0]
                score.append(
                    f1_score(truth, guess, labels=sorted(set(truth)), average="macro", zero_division=0)
                )
            of_seeds.append(score[0] - score[1])
        differences.append(np.mean(of_seeds))
    [row] = fields_only(comparisons).itertuples()
    assert [row.low, row.high] == pytest.approx(np.percentile(differences, [2.5, 97.5]), abs=1e-6)
    values = metrics[metrics["metric"] == "macro_f1"].pivot(index="seed", columns="backbone", values="value")
    apart = values["good"] - values["poor"]
    assert (row.backbone, row.other_backbone, row.runs, row.missing) == ("good", "poor", 3, 0)
    assert [row.difference, row.sd] == pytest.approx([apart.mean(), apart.std()])
    assert row.p == pytest.approx(
        two_sided(apart.mean(), np.std(differences, ddof=1), row.proteins), rel=1e-5
    )
    assert row.proteins == len(genes)


def one_seed_counts() -> list[np.ndarray]:
    """Counts by protein of two routes on one split: float (proteins, 3, classes)."""
    tables = [predictions(right, chance, seeds=(0,)) for right, chance in ((0.7, 1), (0.6, 2))]
    genes = np.unique(tables[0]["gene"].astype(str))
    return [by_protein(levels(table, "single")["test"][""], genes).astype(float) for table in tables]


def difference_of(counts: list[np.ndarray]):
    def of(places, axis=-1):
        return np.subtract(*(macro_of_present(of_side[places].sum(axis=-3)) for of_side in counts))

    return of


def test_intervals_agree_with_scipy():
    counts = one_seed_counts()
    places = np.arange(len(counts[0]))
    drawn = weights(len(places), 20_000, ["x"])
    ours = np.subtract(*(resample(of_side, drawn)["macro_f1"] for of_side in counts))
    difference = difference_of(counts)
    theirs = bootstrap(
        (places,), difference, n_resamples=20_000, method="percentile", vectorized=True, batch=2000, rng=1
    )
    spread = ours.std()
    assert interval(ours[None]) == pytest.approx(np.array(theirs.confidence_interval), abs=0.05 * spread)
    assert spread == pytest.approx(theirs.standard_error, rel=0.03)


def test_p_values_agree_with_permutations_of_scipy():
    """The sides of a protein are swapped at random: the null hypothesis that they do not differ."""
    counts = one_seed_counts()
    drawn = weights(len(counts[0]), 20_000, ["x"])
    error = np.subtract(*(resample(of_side, drawn)["macro_f1"] for of_side in counts)).std(ddof=1)
    observed = float(difference_of(counts)(np.arange(len(counts[0]))))
    both = np.stack(counts)

    def swapped(first, other, axis=-1):
        places = np.arange(both.shape[1])
        return np.subtract(
            *(macro_of_present(both[side.astype(int), places].sum(axis=-3)) for side in (first, other))
        )

    sides = (np.zeros(both.shape[1]), np.ones(both.shape[1]))
    found = permutation_test(
        sides, swapped, permutation_type="samples", n_resamples=20_000, vectorized=True, batch=2000, rng=1
    )
    assert found.statistic == pytest.approx(observed)
    assert two_sided(observed, error, len(counts[0])) == pytest.approx(found.pvalue, abs=0.02)


def test_holm_is_that_of_numbers_worked_by_hand_and_of_a_plain_loop():
    # 0.01 × 4; 0.02 × 3; 0.03 × 2, not below the one before; 0.04 × 1, likewise
    assert holm(pd.Series([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(pd.Series([0.1, np.nan, 0.3])) == pytest.approx([0.2, np.nan, 0.3], nan_ok=True)
    assert holm(pd.Series([np.nan])).tolist() == pytest.approx([np.nan], nan_ok=True)
    p = np.random.default_rng(0).random(50) ** 3
    expected, largest = {}, 0.0
    for rank, place in enumerate(sorted(range(50), key=lambda place: p[place])):
        largest = max(largest, min(1.0, p[place] * (50 - rank)))
        expected[place] = largest
    assert holm(pd.Series(p)) == pytest.approx([expected[place] for place in range(50)])


def test_equal_sides_do_not_differ_and_p_is_corrected_within_its_family(tmp_path):
    names = [("linear", name, "none") for name in ("a", "b", "c")]
    tables = [predictions(0.8, 1), predictions(0.8, 1), predictions(0.5, 2)]
    more = {("mlp", *name[1:]): predictions(0.6, chance) for chance, name in enumerate(names)}
    *_, table = study(tmp_path, dict(zip(names, tables, strict=True)) | more)
    [same] = table[
        (table["task"] == "linear") & (table["other_backbone"] == "b") & (table["metric"] == "macro_f1")
    ].itertuples()
    assert (same.difference, same.low, same.high, same.p, same.p_holm) == (0, 0, 0, 1, 1)
    for _, family in table.groupby(["task", "metric"]):
        assert len(family) == 3
        assert family["p_holm"].to_numpy() == pytest.approx(holm(family["p"]))


def test_what_is_compared_is_named_and_not_all_pairs_of_everything(tmp_path):
    table = predictions(0.7, 1, seeds=(0,))
    routes = [("vit", "natural"), ("vit", "random"), ("cnn", "natural"), ("handmade", "none")]
    tasks = [("linear", *route) for route in routes]
    tasks += [(task, "vit", "natural") for task in ("finetune", "finetune_epoch_0")]
    *_, comparisons = study(tmp_path, dict.fromkeys(tasks, table), draws=20)
    found = fields_only(comparisons)
    sides = {
        (
            row.compared,
            *sorted([f"{row.backbone} {row.strategy}", f"{row.other_backbone} {row.other_strategy}"]),
        )
        for row in found.itertuples()
    }
    assert len(found) == len(sides) == 6
    assert sides == {
        ("strategy", "vit natural", "vit random"),
        ("backbone", "cnn natural", "vit natural"),
        ("backbone", "cnn natural", "handmade none"),
        ("backbone", "handmade none", "vit natural"),
        ("backbone", "handmade none", "vit random"),
        ("training", "vit natural", "vit natural"),
    }
    [trained] = found[found["compared"] == "training"].itertuples()
    assert (trained.task, trained.other_task) == ("finetune", "finetune_epoch_0")


def test_a_run_that_one_side_lacks_is_counted_reported_and_leaves_the_others_paired(tmp_path, caplog):
    good, poor = TWO.values()
    both = {name: table[table["seed"] < 2] for name, table in TWO.items()}
    one = {("linear", "good", "none"): good, ("linear", "poor", "none"): poor[poor["seed"] < 2]}
    (tmp_path / "x").mkdir()
    *_, without = study(tmp_path, both)
    assert not caplog.records
    *_, short = study(tmp_path / "x", one)
    [row], [expected] = (fields_only(table).itertuples() for table in (short, without))
    assert (row.runs, row.missing, row.difference) == (2, 1, expected.difference)
    assert row.low == pytest.approx(
        expected.low, abs=0.03
    )  # other draws, since seed 2 has proteins of its own
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    message = "2 comparisons lack runs of one side, e.g. linear/good/none/1.0 and linear/poor/none/1.0"
    assert record.getMessage() == message


def test_a_setting_that_one_side_lacks_is_a_row_without_a_difference(tmp_path):
    good, poor = TWO.values()
    tables = {("linear", "good", "none"): pd.concat([good, good.assign(fraction=0.1)])}
    tables |= {("linear", "poor", "none"): poor, ("finetune", "good", "none"): poor}
    *_, table = study(tmp_path, tables)
    write_table("comparisons", table, tmp_path / "comparisons.parquet")
    table = fields_only(read_table("comparisons", tmp_path / "comparisons.parquet"))
    [row] = table[table["fraction"] == 0.1].itertuples()  # fine-tuning was not asked for at this fraction
    assert (row.compared, row.runs, row.missing) == ("backbone", 0, 3)
    assert np.isnan([row.difference, row.sd, row.low, row.high, row.p, row.p_holm]).all()


def test_one_backbone_has_nothing_to_compare(tmp_path):
    *_, table = study(tmp_path, {("linear", "good", "none"): predictions(0.8, 1)})
    write_table("comparisons", table, tmp_path / "comparisons.parquet")
    assert len(read_table("comparisons", tmp_path / "comparisons.parquet")) == 0


def test_one_seed_one_class_and_one_protein_have_what_can_be_told(tmp_path):
    for seeds, classes, proteins in (((0,), CLASSES, 40), ((0,), CLASSES[:1], 40), ((0,), CLASSES, 24)):
        tables = {
            ("linear", name, "none"): predictions(0.7, chance, seeds, classes, proteins)
            for chance, name in enumerate("ab")
        }
        if proteins == 24:
            tables = {name: table[table["gene"] == "G01"] for name, table in tables.items()}
        *_, table = study(tmp_path, tables)
        write_table("comparisons", table, tmp_path / "comparisons.parquet")
        row = fields_only(read_table("comparisons", tmp_path / "comparisons.parquet")).iloc[0]
        assert row["runs"] == 1 and np.isnan(row["sd"])
        if len(classes) == 1:
            assert (row["difference"], row["low"], row["high"], row["p"]) == (0, 0, 0, 1)
        assert row[["low", "high", "p", "p_holm"]].isna().all() == (proteins == 24)


def test_sides_that_were_tested_on_other_proteins_are_refused():
    side = Side(
        ("linear", "a", "none", 1.0),
        LEVEL_SETTING,
        np.array([3]),
        np.ones(1),
        np.ones((1, 5)),
        [np.arange(4)],
    )
    other = replace(side, route=("linear", "b", "none", 1.0), proteins=[np.arange(1, 5)])
    with pytest.raises(InputError, match=r"'a', .* and .*'b', .*: other proteins .* seed 3; run"):
        compare([side, other])


def test_scores_do_not_depend_on_the_number_of_workers(tmp_path):
    tables = [study(tmp_path, TWO, draws=50, workers=workers) for workers in (1, 2)]
    for one, two in zip(*tables, strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_the_smallest_fraction_that_is_enough(tmp_path):
    rows = [(0.1, 0.5, 0.4, 0.6), (0.25, 0.65, 0.55, 0.7), (0.5, 0.69, 0.6, 0.75), (1.0, 0.7, 0.6, 0.8)]
    summary = pd.DataFrame(rows, columns=["fraction", "mean", "low", "high"])
    summary = summary.assign(
        task="linear", level="fov", strategy="none", scale=1.0, split_unit="protein", runs=3, sd=0.1
    )
    summary = summary.assign(label_policy="single", metric="macro_f1", k=pd.NA, backbone="a")
    without = summary[summary["fraction"] < 1].assign(backbone="b")
    at_once = summary[summary["fraction"] == 1].assign(backbone="c")
    summary = pd.concat([summary.sample(frac=1, random_state=0), without, at_once])
    few_shot = summary.assign(shots=1, fraction=1.0, mean=0.9, low=0.9, high=0.9)[summary["fraction"] == 1]
    table = enough(
        pd.concat([in_both_subsets(summary, lambda means: means + 0.2), in_both_subsets(few_shot)])
    )
    write_table("enough", table, tmp_path / "enough.parquet")
    table = read_table("enough", tmp_path / "enough.parquet").set_index("backbone")
    columns = ["fractions", "full", "fraction", "mean", "low", "high"]
    assert table.loc["a", columns].tolist() == [4, 0.7, 0.25, 0.65, 0.55, 0.7]
    assert table.loc["b", "fractions"] == 3 and table.loc["b", columns[1:]].isna().all()
    assert table.loc["c", columns].tolist() == [1, 0.7, 1.0, 0.7, 0.6, 0.8]


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    """1,000 simulated studies; docs/coverage.png shows other sizes."""
    for share in coverage(per_class=10).values():
        assert 0.93 <= share <= 0.97
