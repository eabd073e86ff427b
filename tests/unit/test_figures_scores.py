"""Charts of scores: what they show of the tables, and what they say where something is not there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from protloc.figures.asked import Asked
from protloc.figures.classes import class_scores, draw_classes, in_short
from protloc.figures.confusion import Best, best_routes, confusion, draw_confusion
from protloc.figures.full_scores import full_scores
from protloc.figures.matrix import WHITE, colours, draw_cells, ink, luminance
from protloc.figures.panels import at_full, counted_seeds
from protloc.figures.rows import Rows
from protloc.figures.strategies import _looks, _panel, draw_strategies
from protloc.figures.style import SIMULATED
from protloc.figures.tuned import FRACTIONS, NAMED, draw_tuned, in_words, signed, tuned_pairs, verdict
from subsets import in_both_subsets

TITLES = {"dino": "DINO", "sub": "SubCell", "bare": "DINO, untrained", "majority": "majority guess"}
FILLS = ["map_natural", "adapt"]
UNTRAINED = {"dino": "bare"}
LEVELS = {"dino": 0.6, "sub": 0.5, "bare": 0.2, "majority": 0.05}


def asked(*names: str, strategies: list[str] | None = None) -> Asked:
    """A study of some backbones, of all unless named, with these channel strategies."""
    names = names or tuple(TITLES)
    of_name = {name: ["none"] if name == "majority" else strategies or ["adapt"] for name in names}
    return Asked(TITLES, of_name, [name for name in ("bare", "majority") if name in names])


def summary(study: Asked, units=("protein", "fov"), policies=("single",), **columns) -> pd.DataFrame:
    """Macro F1 of the study's routes at two fractions; a strategy is 0.01 better than the one before."""
    rows = [
        {"backbone": name, "strategy": strategy, "split_unit": unit, "label_policy": policy}
        | {"fraction": fraction, "mean": LEVELS[name] * fraction**0.1 + 0.01 * number}
        for name, strategies in study.strategies.items()
        for number, strategy in enumerate(strategies)
        for unit in units
        for policy in policies
        for fraction in (0.1, 1.0)
    ]
    rows = pd.DataFrame(rows)
    bounds = {"low": rows["mean"] - 0.04, "high": rows["mean"] + 0.05, "sd": 0.01, "runs": 3}
    fixed = {"task": "linear", "level": "fov", "metric": "macro_f1"}
    return in_both_subsets(rows.assign(**fixed, **bounds).assign(**columns))


def words(svg: Path) -> str:
    """The words of an SVG, on one line: matplotlib draws them as paths and leaves each as a comment."""
    return " ".join(re.findall(r"<!-- (.*?) -->", svg.read_text(), re.DOTALL)).replace("\n", " ")


def test_what_is_shown_of_a_summary_is_macro_f1_of_the_task_with_all_of_the_data():
    study = asked(strategies=FILLS)
    right = summary(study)
    others = [right.assign(metric="micro_f1"), right.assign(task="finetune")]
    scores = full_scores(pd.concat([*others, right]).sample(frac=1, random_state=0), "linear", study.controls)
    assert len(scores) == 2 * len(study.routes) and set(scores["fraction"]) == {1.0}
    assert set(scores.loc[scores["control"], "backbone"]) == {"bare", "majority"}
    pd.testing.assert_frame_equal(scores, full_scores(right, "linear", study.controls))


def test_all_of_the_data_is_the_largest_fraction_of_a_panel():
    table = pd.concat([summary(asked("dino")), summary(asked("sub"), units=("fov",), fraction=0.5)])
    assert set(at_full(table)["backbone"]) == {"dino"}
    assert set(at_full(table[table["fraction"] < 1])["fraction"]) == {0.1, 0.5}


@pytest.mark.parametrize(
    ("runs", "said"), [([1, 1], "one seed"), ([3, 3], "3 seeds"), ([2, 3], "2 to 3 seeds")]
)
def test_seeds_are_counted_in_words(runs, said):
    assert counted_seeds(pd.Series(runs)) == said


def test_dots_and_bands_lie_where_the_scores_are():
    study, axis = asked(strategies=FILLS), Figure().add_subplot()
    scores = full_scores(summary(study, units=("protein",)), "linear", study.controls)
    rows = Rows([route for route in study.routes if route[0] != "bare"], study, 2.0)
    _panel(axis, scores, rows, _looks(study), UNTRAINED)
    means = scores.set_index(["backbone", "strategy"])["mean"]
    dots = [tuple(np.ravel(line.get_data())) for line in axis.lines if line.get_marker() != "None"]
    middles = {route: sum(sides) / 2 for route, sides in rows.sides.items()}
    np.testing.assert_allclose(sorted(dots), sorted((means[route], middles[route]) for route in middles))
    boxes = [made.get_paths()[0].get_extents() for made in axis.collections if made.get_paths()]
    own = [box for box in boxes if 0 < box.height < 10]
    at = [
        (means["bare", name] - 0.04, means["bare", name] + 0.05, *rows.sides["dino", name]) for name in FILLS
    ]
    np.testing.assert_allclose([(box.x0, box.x1, box.y0, box.y1) for box in own], at)
    (common,) = (box for box in boxes if box.height > 10)
    assert (common.x0, common.x1, common.height) == pytest.approx((0.01, 0.1, rows.height))


def test_rows_of_a_backbone_lie_together_and_are_as_high_as_its_name():
    study = Asked({"a": "a " * 40, "b": "b"}, {"a": ["none"], "b": FILLS}, ["a"])
    assert study.routes == [("b", "map_natural"), ("b", "adapt"), ("a", "none")]
    rows = Rows(study.routes, study, 1.0)
    assert rows.sides["b", "map_natural"][1] == rows.sides["b", "adapt"][0]
    assert rows.groups["b"][1] < rows.groups["a"][0] < rows.groups["a"][1] - 8 < rows.height - 8


def draw_dots(study: Asked, scores: pd.DataFrame, out: Path, simulated: bool = False) -> str:
    shown = full_scores(scores, "linear", study.controls)
    draw_strategies(shown, study, UNTRAINED, simulated, [out])
    return words(out)


@pytest.mark.parametrize("simulated", [True, False])
def test_a_chart_of_many_strategies_names_them_all(tmp_path, simulated):
    study = asked(strategies=FILLS)
    scores = summary(study, policies=("single", "multi"))
    text = draw_dots(study, scores, tmp_path / "a.svg", simulated)
    assert text.count("several labels a protein") == 2 and text.count("SubCell") == 2
    assert text.count("map natural") == text.count("adapt") == 1
    assert "Means over 3 seeds" in text and "no score" not in text and "Without" not in text
    assert "dark, the same network untrained; light, those in grey rows" in text
    assert (SIMULATED in text) == simulated
    draw_dots(study, scores.sample(frac=1, random_state=0), tmp_path / "b.svg", simulated)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_chart_of_strategies_says_what_it_lacks(tmp_path):
    out, study = tmp_path / "dots.svg", asked()
    alone = draw_dots(asked("dino"), summary(asked("dino"), units=("protein",)), out)
    assert "DINO" in alone and "Grey bands" not in alone and "adapt" not in alone
    assert "Means over one seed" in draw_dots(study, summary(study, runs=1, sd=np.nan), out)
    controls = draw_dots(asked("bare", "majority"), summary(asked("bare", "majority")), out)
    assert "(light, those in grey rows)" in controls and "DINO, untrained" in controls
    failed = draw_dots(study, summary(study)[lambda rows: rows["backbone"] != "sub"], out)
    assert failed.count("no score") == 2 and "Without a score: SubCell." in failed
    bare = summary(study).assign(low=np.nan, high=np.nan)
    assert "Without an interval: DINO; SubCell; DINO, untrained; majority guess." in draw_dots(
        study, bare, out
    )
    nothing = draw_dots(study, summary(study)[:0], out)
    assert (
        "No backbone has a macro F1" in nothing
        and "Without a score: DINO; SubCell; DINO, untrained" in nothing
    )


CLASSES = {"er": 3, "golgi": 1, "vesicles": 2}  # with proteins to test


def split(seeds=(0, 1), classes=CLASSES, unit="protein") -> pd.DataFrame:
    """Rows of `splits`: of each class one protein to train on, and proteins to test, of two fields each."""
    rows = [
        {"seed": seed, "fov_id": f"FID{name}{number}{field}", "gene": f"{name} {number}", "labels": [name]}
        | {"part": "test" if number else "train"}
        for seed in seeds
        for name, proteins in classes.items()
        for number in range(proteins + 1)
        for field in range(2 + (unit == "fov"))
    ]
    return pd.DataFrame(rows)


def metrics(study: Asked, classes=CLASSES, units=("protein", "fov"), seeds=(0, 1)) -> pd.DataFrame:
    """F1 of each class at two fractions: higher with the class's number, and by 0.1 from seed to seed."""
    rows = [
        {"backbone": name, "strategy": strategy, "split_unit": unit, "fraction": fraction, "seed": seed}
        | {"metric": f"f1_{one}", "value": LEVELS[name] * fraction**0.1 + 0.05 * number + 0.1 * seed}
        for name, strategy in study.routes
        for unit in units
        for fraction in (0.1, 1.0)
        for seed in seeds
        for number, one in enumerate(classes)
    ]
    fixed = {"task": "linear", "level": "fov", "label_policy": "single", "shots": 0, "subset": "test"}
    return pd.DataFrame(rows).assign(**fixed)


def scores_of_classes(study: Asked, table: pd.DataFrame, **options) -> pd.DataFrame:
    splits = {(unit, "single"): split(unit=unit, **options) for unit in table["split_unit"].unique()}
    return class_scores(table, splits, "linear", study.controls)


def test_what_is_shown_of_classes_are_means_over_seeds_beside_what_was_tested():
    study = asked()
    right = metrics(study)
    others = [right.assign(metric="protein_" + right["metric"]), right.assign(task="finetune")]
    others += [right.assign(subset="validation", value=9), right.assign(shots=1, value=9)]
    scores = scores_of_classes(study, pd.concat([*others, right]).sample(frac=1, random_state=0))
    assert len(scores) == 2 * 4 * 3 and set(scores["fraction"]) == {1.0} and set(scores["runs"]) == {2}
    row = scores.set_index(["split_unit", "backbone", "class"]).loc[("fov", "dino", "vesicles")]
    assert (row["mean"], row["sd"]) == pytest.approx((0.6 + 0.1 + 0.05, 0.1 / 2**0.5))
    assert (row["proteins"], row["fields"], row["control"]) == (2, 6, False)


def test_a_class_that_some_seeds_do_not_test_has_fewer_proteins_and_one_that_none_tests_has_none():
    table = metrics(asked("dino"), units=("protein",))
    first, second = split(seeds=(0,), classes={"er": 3, "vesicles": 2}), split(seeds=(1,), classes={"er": 2})
    scores = class_scores(table, {("protein", "single"): pd.concat([first, second])}, "linear", [])
    assert scores.set_index("class")["proteins"].to_dict() == {"er": 2.5, "golgi": 0, "vesicles": 1}


def test_classes_are_named_in_the_order_of_their_proteins_and_numbers_are_those_of_the_table(tmp_path):
    study, out = asked(), tmp_path / "classes.svg"
    scores = scores_of_classes(study, metrics(study))
    draw_classes(scores, study, True, [out])
    text = words(out)
    assert re.findall(r"(er|vesicles|golgi)  (\S+)", text) == [
        ("er", "3/6"), ("vesicles", "2/4"), ("golgi", "1/2"),
        ("er", "3/9"), ("vesicles", "2/6"), ("golgi", "1/3"),
    ]  # fmt: skip
    assert text.index(".65 .75 .70") < text.index(".55 .65 .60") < text.index(".10 .20 .15")
    assert "no score" not in text and "Grey names: controls." in text and SIMULATED in text
    draw_classes(scores.sample(frac=1, random_state=0), study, True, [tmp_path / "again.svg"])
    assert out.read_bytes() == (tmp_path / "again.svg").read_bytes()


def test_the_chart_of_classes_says_what_it_lacks(tmp_path):
    def drawn(study: Asked, scores: pd.DataFrame) -> str:
        draw_classes(scores, study, False, [tmp_path / "classes.svg"])
        return words(tmp_path / "classes.svg")

    study, only = asked(), asked("bare", "majority")
    scores = scores_of_classes(study, metrics(study))
    assert "Grey" not in drawn(asked("dino"), scores_of_classes(asked("dino"), metrics(asked("dino"))))
    assert "Grey names: controls." in drawn(only, scores_of_classes(only, metrics(only)))
    one = {"er": 3}
    assert "er  3/6" in drawn(study, scores_of_classes(study, metrics(study, classes=one), classes=one))
    single = scores_of_classes(study, metrics(study, seeds=(0,)), seeds=(0,))
    assert single["sd"].isna().all() and "Means over one seed." in drawn(study, single)
    failed = drawn(study, scores[scores["backbone"] != "sub"])
    assert failed.count("no score") == 2 and "Without a score: SubCell." in failed
    scores.loc[scores.index[0], "mean"] = np.nan
    assert drawn(study, scores).count("–") == 1
    nothing = drawn(study, scores[:0])
    assert "No backbone has an F1 of a class" in nothing and "Without a score: DINO; SubCell" in nothing


def test_seventeen_classes_and_sixty_routes_fit(tmp_path):
    names = {f"b{n}": f"a backbone with a long name, number {n}" for n in range(10)}
    study = Asked(names, {name: [f"strategy {n}" for n in range(6)] for name in names}, [])
    rows = [(name, strategy, f"class {n:02d}") for name, strategy in study.routes for n in range(17)]
    scores = pd.DataFrame(rows, columns=["backbone", "strategy", "class"])
    scores = scores.assign(split_unit="protein", label_policy="single", fraction=1.0, mean=0.5, sd=0.1)
    scores = scores.assign(control=False, proteins=9.0, fields=40.0, runs=3)
    draw_classes(scores, study, False, [tmp_path / "classes.svg"])
    assert words(tmp_path / "classes.svg").count(".50") == 60 * 17


@pytest.mark.parametrize(
    ("share", "said"), [(0, ".00"), (0.346, ".35"), (0.994, ".99"), (0.996, "1.0"), (1, "1.0"), (np.nan, "–")]
)
def test_shares_are_written_in_three_letters(share, said):
    assert in_short(share) == said


def test_words_are_legible_on_every_fill():
    fills = colours(np.append(np.linspace(0, 1, 101), np.nan))
    inks = np.where(ink(fills) == WHITE, 1.0, 0.0)
    lighter, darker = (sort(luminance(fills), inks) + 0.05 for sort in (np.maximum, np.minimum))
    assert (lighter / darker).min() > 4.5  # WCAG 2, AA
    assert (np.diff(luminance(fills)[:-1]) < 0).all()
    assert np.ptp(fills[-1, :3]) == 0 and set(inks) == {0, 1}


def test_words_shrink_with_their_cells_and_vanish_before_they_cannot_be_read():
    sizes = {}
    for side in (1.0, 3.0, 8.0):
        axis = Figure().add_subplot()
        draw_cells(axis, [(0, side)], [(0, side)], np.array([[0.5]]), [[".50"]])
        sizes[side] = [text.get_fontsize() for text in axis.texts]
    assert sizes[1.0] == [] and 3.8 <= sizes[3.0][0] < sizes[8.0][0] == 6


def test_the_best_route_is_no_control_and_split_by_protein_where_there_is_such_a_split():
    study = asked(strategies=FILLS)
    table = summary(study, policies=("single", "multi"))
    table.loc[table["backbone"].isin(study.controls) | (table["split_unit"] == "fov"), "mean"] += 0.3
    table.loc[(table["backbone"] == "sub") & (table["label_policy"] == "multi"), "mean"] += 0.2
    single, multi = best_routes(full_scores(table, "linear", study.controls))
    assert (single.route, single.among) == (("dino", "adapt"), 4) and single.score == pytest.approx(0.61)
    assert multi.route == ("sub", "adapt") and multi.where["label_policy"] == "multi"
    assert single.where == {"split_unit": "protein", "label_policy": "single", "fraction": 1.0}
    (by_field,) = best_routes(full_scores(summary(study, units=("fov",)), "linear", study.controls))
    assert by_field.split_unit == "fov"
    on_validation = table["subset"] == "validation"
    table.loc[~on_validation, "mean"] = 1 - table.loc[~on_validation, "mean"]
    worse, _ = best_routes(full_scores(table, "linear", study.controls))
    assert worse.route == single.route and worse.score == pytest.approx(0.39)
    table["mean"] = 1 - table["mean"]
    failed = summary(study).assign(mean=lambda rows: rows["mean"].where(rows["backbone"] != "dino"))
    assert best_routes(full_scores(failed, "linear", study.controls))[0].route == ("sub", "adapt")
    assert best_routes(full_scores(table, "linear", list(TITLES))) == []


def predictions(policy="single", seeds=(0, 1), classes=("er", "golgi", "vesicles")) -> pd.DataFrame:
    """Of each seed a field of each of four proteins; that of G2 is taken for vesicles, if there are such."""
    said = {"single": ["er", "er", "vesicles", "golgi"], "multi": ["er", "er;golgi", "er;vesicles", "golgi"]}
    true = {"single": ["er", "er", "er", "golgi"], "multi": ["er", "er;golgi", "er;golgi", "golgi"]}
    rows = [
        {"seed": seed, "fov_id": f"FID{number}", "gene": f"G{number}"}
        | {"truth": true[policy][number].split(";"), "predicted": said[policy][number].split(";")}
        for seed in seeds
        for number in range(4)
    ]
    rows = pd.DataFrame(rows)
    for name in ("truth", "predicted"):
        rows[name] = [
            [label for label in labels if label in classes] or [classes[0]] for labels in rows[name]
        ]
    return rows.assign(classes=[list(classes)] * len(rows))


def best(policy="single", route=("dino", "adapt")) -> Best:
    return Best(route, "protein", policy, 1.0, 0.6, 2)


def test_fields_are_counted_by_what_they_are_and_what_they_are_taken_for():
    pairs = confusion(best(), predictions()).set_index(["truth", "predicted"])
    assert pairs["taken"].to_dict() == {
        ("er", "er"): 4, ("er", "golgi"): 0, ("er", "vesicles"): 2,
        ("golgi", "er"): 0, ("golgi", "golgi"): 2, ("golgi", "vesicles"): 0,
        ("vesicles", "er"): 0, ("vesicles", "golgi"): 0, ("vesicles", "vesicles"): 0,
    }  # fmt: skip
    assert pairs.loc["er", "share"].to_list() == pytest.approx([2 / 3, 0, 1 / 3])
    assert set(pairs.loc["er", "proteins"]) == {3} and set(pairs.loc["er", "fields"]) == {6}
    assert pairs.loc["vesicles", "share"].isna().all() and set(pairs["seeds"]) == {2}


def test_with_several_labels_a_field_counts_in_each_of_its_rows():
    pairs = confusion(best("multi"), predictions("multi", seeds=(0,))).set_index(["truth", "predicted"])
    assert pairs.loc["er", "taken"].to_list() == [3, 1, 1]
    assert pairs.loc["golgi", "taken"].to_list() == [2, 2, 1] and set(pairs.loc["golgi", "fields"]) == {3}


def draw_matrices(
    bests: list[Best], tables: list[pd.DataFrame], out: Path, study: Asked | None = None
) -> str:
    study = study or asked()
    pairs = pd.concat([confusion(*both) for both in zip(bests, tables, strict=True)] or [pd.DataFrame()])
    scores = full_scores(summary(asked("dino", "bare")), "linear", study.controls)
    draw_confusion(bests, pairs, scores, study, False, [out])
    return words(out)


def test_the_matrix_names_its_backbone_and_has_rows_in_the_order_of_their_fields(tmp_path):
    text = draw_matrices([best(), best("multi")], [predictions(), predictions("multi")], tmp_path / "a.svg")
    assert text.count("DINO: macro F1 0.600, the best of 2 on validation that are no controls") == 2
    assert re.findall(r"(er|vesicles|golgi)  (\S+)", text) == [
        ("er", "3/6"), ("golgi", "1/2"), ("vesicles", "0/0"),
        ("er", "3/6"), ("golgi", "3/6"), ("vesicles", "0/0"),
    ]  # fmt: skip
    assert "67 33 100 er" in text and "100 33 33 67 67 33 er" in text
    assert "of 2 seeds." in text and "one label a protein" in text and "several labels a protein" in text
    assert "Without a score: SubCell; majority guess." in text
    mixed = [table.sample(frac=1, random_state=0) for table in (predictions(), predictions("multi"))]
    draw_matrices([best(), best("multi")], mixed, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_matrix_says_what_it_lacks(tmp_path):
    out = tmp_path / "matrix.svg"
    one = draw_matrices([best()], [predictions(classes=("er",))], out)
    assert "One class: no prediction can be wrong." in one and "er  4/8" in one
    assert "fields of one seed." in draw_matrices([best()], [predictions(seeds=(3,))], out)
    alone = [Best(("dino", "adapt"), "protein", "single", 1.0, 0.6, 1)]
    assert "macro F1 0.600 New proteins" in draw_matrices(alone, [predictions()], out)
    nothing = draw_matrices([], [], out)
    assert "No backbone but controls has a macro F1" in nothing and "Without a score: SubCell" in nothing


def tuned(study: Asked, fractions=(0.1, 1.0), **columns) -> pd.DataFrame:
    """`summary` of fine-tuning: 0.1 better than frozen with all of the data, 0.1 worse with less."""
    rows = [summary(study).query("fraction == 1").assign(fraction=fraction) for fraction in fractions]
    rows = pd.concat(rows).query("strategy != 'none'").assign(task="finetune", **columns)
    return rows.assign(mean=rows["mean"] + np.where(rows["fraction"] == 1, 0.1, -0.1))


def before(frozen: pd.DataFrame) -> pd.DataFrame:
    return frozen.assign(task="finetune_epoch_0")


def compared(scores: pd.DataFrame, **columns) -> pd.DataFrame:
    """Rows of `comparisons` of fine-tuned scores with frozen ones."""
    scores = scores[scores["subset"] == "test"]
    gained = np.where(scores["fraction"] == 1, 0.1, -0.1)
    bounds = {"low": gained - 0.05, "high": gained + 0.04, "p_holm": 0.0123, "difference": gained}
    fixed = {"compared": "training", "other_task": "finetune_epoch_0", "metric": "macro_f1"}
    return scores.assign(**bounds, **fixed).assign(**columns)


def test_pairs_are_of_settings_that_frozen_and_fine_tuned_both_have():
    study = asked(strategies=FILLS)
    new = tuned(study, fractions=(0.5, 1.0))
    table, rows = pd.concat([before(summary(study)), summary(study).assign(mean=9), new]), compared(new)
    others = [
        rows.assign(other_task="mlp", difference=9),
        rows.assign(metric="protein_macro_f1", difference=9),
    ]
    others += [rows.assign(compared="backbone", difference=9), table.assign(metric="micro_f1", mean=9)]
    mixed = [
        pd.concat([*some, whole]).sample(frac=1, random_state=0)
        for some, whole in ((others[3:], table), (others[:3], rows))
    ]
    pairs = tuned_pairs(*mixed)
    pd.testing.assert_frame_equal(pairs, tuned_pairs(table, rows))
    assert set(pairs["fraction"]) == {1.0} and len(pairs) == 2 * 3 * 2  # units, networks, strategies
    dino = pairs.set_index(["split_unit", "backbone", "strategy"]).loc[("fov", "dino", "adapt")]
    assert dino[["frozen_mean", "tuned_mean", "difference"]].to_list() == pytest.approx([0.61, 0.71, 0.1])
    assert dino[["difference_low", "difference_high"]].to_list() == pytest.approx([0.05, 0.14])
    assert dino[["frozen_low", "tuned_high"]].to_list() == pytest.approx([0.57, 0.66])


def test_only_the_largest_fractions_of_a_split_have_panels():
    study = asked("dino")
    many = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0]
    frozen = pd.concat([summary(study).query("fraction == 1").assign(fraction=one) for one in many])
    new = tuned(study, fractions=many)
    new = new[(new["split_unit"] == "protein") | (new["fraction"] < 0.2)]
    pairs = tuned_pairs(pd.concat([before(frozen), new]), compared(new))
    assert pairs.groupby("split_unit")["fraction"].apply(list).to_dict() == {
        "fov": [0.01, 0.05, 0.1], "protein": [0.25, 0.5, 1.0],
    }  # fmt: skip
    assert FRACTIONS == 3


def draw_slopes(study: Asked, frozen: pd.DataFrame, new: pd.DataFrame, rows: pd.DataFrame, out: Path) -> str:
    routes = [route for route in study.routes if route[1] != "none"]
    draw_tuned(tuned_pairs(pd.concat([before(frozen), new]), rows), study, routes, False, [out])
    return words(out)


def test_slopes_stand_above_their_differences_in_words(tmp_path):
    study, out = asked(), tmp_path / "a.svg"
    frozen, new = summary(study), tuned(study)
    rows = compared(new)
    text = draw_slopes(study, frozen, new, rows, out)
    assert text.count("+0.100 (+0.050 to +0.140) better, p = 0.012") == 2 * 3
    assert text.count("−0.100 (−0.150 to −0.060) worse, p = 0.012") == 2 * 3
    assert text.count("10 % of the labelled data") == text.count("100 % of the labelled data") == 2
    assert "New proteins (split by protein)" in text and "Means over 3 seeds" in text
    assert "Named" not in text and "Without" not in text and "seeds differ" not in text
    mixed = [table.sample(frac=1, random_state=0) for table in (frozen, new, rows)]
    draw_slopes(study, *mixed, tmp_path / "b.svg")
    assert out.read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_chart_of_fine_tuning_says_what_it_lacks(tmp_path):
    study, out = asked(), tmp_path / "slopes.svg"
    frozen, new = summary(study), tuned(study)
    rows = compared(new)
    failed = draw_slopes(study, frozen, new[new["backbone"] != "sub"], rows, out)
    assert "Without a pair of scores: SubCell." in failed
    later = new[(new["backbone"] != "sub") | (new["fraction"] == 1)]
    assert draw_slopes(study, frozen, later, rows, out).count("not scored") == 2
    bare = draw_slopes(study, frozen.assign(low=np.nan), new, compared(new, low=np.nan, p_holm=np.nan), out)
    assert bare.count("(no interval) p unknown") == 2 * 2 * 3 and "Without an interval: DINO; SubCell" in bare
    assert draw_slopes(study, frozen, new, rows[:0], out).count("not compared") == 2 * 2 * 3
    alone = draw_slopes(
        asked("dino"), summary(asked("dino"), runs=1), tuned(asked("dino"), runs=1), rows, out
    )
    assert "Means over one seed;" in alone
    fewer = draw_slopes(study, frozen, tuned(study, runs=2), rows, out)
    assert "Means over 2 to 3 seeds;" in fewer and "Where seeds differ" in fewer
    only = asked("bare", "majority")
    assert "DINO, untrained" in draw_slopes(only, summary(only), tuned(only), rows, out)
    nothing = draw_slopes(study, frozen, new[:0], rows, out)
    assert (
        "No network was scored both" in nothing
        and "Without a pair of scores: DINO; SubCell; DINO," in nothing
    )


def test_of_many_networks_those_best_when_fine_tuned_are_named(tmp_path):
    titles = {f"b{number}": f"backbone {number:02d}" for number in range(12)}
    study = Asked(titles, {name: ["adapt"] for name in titles}, [])
    frozen = pd.concat([summary(asked("dino")).assign(backbone=name) for name in titles])
    new = pd.concat([tuned(asked("dino")).assign(backbone=name) for name in titles])
    place = new["backbone"].str[1:].astype(int)
    new["mean"] = 0.4 + 0.01 * place.where(new["fraction"] == 1, place * 5 % 12)
    text = draw_slopes(study, frozen, new, compared(new), tmp_path / "slopes.svg")
    assert re.findall(r"backbone (\d+)", text) == [f"{number:02d}" for number in range(12 - NAMED, 12)] * 2
    assert f"Named: the {NAMED} of 12 that are best on validation when fine-tuned" in text


@pytest.mark.parametrize(
    ("difference", "p", "said"),
    [
        (0.1, 0.0004, "better, p < 0.001"),
        (-0.1, 0.049, "worse, p = 0.049"),
        (-0.1, 0.05, "not told apart, p = 0.050"),
        (0.1, np.nan, "p unknown"),
    ],
)
def test_whether_two_can_be_told_apart_is_said_in_words(difference, p, said):
    assert verdict(difference, p) == said
    assert in_words(None) == "not scored"


@pytest.mark.parametrize(("difference", "said"), [(0.1, "+0.100"), (-0.0126, "−0.013"), (-0.0001, "0.000")])
def test_differences_have_signs(difference, said):
    assert signed(difference) == said
