from __future__ import annotations

import itertools
import logging

import numpy as np
import pandas as pd
import pytest
from protloc.errors import InputError
from protloc.leakage import check_no_leak
from protloc.policies import annotations, labels_by_gene
from protloc.runs import plan
from protloc.splits.shots import draw_shots
from protloc.splits.stratify import nest
from protloc.splits.table import PARTS, make_split
from protloc.targets import masks
from protloc.variants import Variant

FRACTIONS = [0.05, 0.1, 0.5, 1.0]
SETTINGS = {"seeds": [0, 1], "fractions": FRACTIONS, "test_share": 0.25, "validation_share": 0.15}


def study(
    classes: int = 5, per_class: int = 12, fields: int = 4
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    labels = {f"G{n:03d}": [f"class_{n % classes}"] for n in range(classes * per_class)}
    rows = [(f"FID{100 * n + m:08d}", gene) for n, gene in enumerate(labels) for m in range(fields)]
    return pd.DataFrame(rows, columns=["fov_id", "gene"]).assign(status="ok"), labels


def proteins(**columns: list) -> pd.DataFrame:
    size = len(columns["grade_3"])
    return pd.DataFrame(
        {"gene": [f"G{n}" for n in range(size)], "grade_2": [[]] * size, "grade_1": [[]] * size, "fovs": 2}
        | columns
    )


@pytest.mark.parametrize("unit", ["protein", "fov"])
def test_a_split_holds_each_field_once_per_seed_in_the_shares_asked_for(unit):
    fovs, labels = study()
    split = make_split(fovs, labels, unit=unit, **SETTINGS)
    for _, of_seed in split.groupby("seed"):
        assert sorted(of_seed["fov_id"]) == sorted(fovs["fov_id"])
        shares = of_seed["part"].value_counts(normalize=True)
        assert shares[list(PARTS)].to_list() == pytest.approx([0.6, 0.15, 0.25], abs=0.05)
        assert of_seed["fraction"].isna().equals(of_seed["part"] == "test")
        assert of_seed["shots"].isna().all()


def test_a_split_by_protein_keeps_a_protein_together_and_one_by_field_does_not():
    fovs, labels = study()
    check_no_leak(make_split(fovs, labels, unit="protein", **SETTINGS), "protein", "split")
    with pytest.raises(InputError, match=r"gene G\d+ lies in several parts under seed 0"):
        check_no_leak(make_split(fovs, labels, unit="fov", **SETTINGS), "protein", "split")


def test_a_planted_leak_of_a_field_is_found():
    split = make_split(*study(), unit="fov", **SETTINGS)
    leaking = pd.concat([split, split.iloc[[0]].assign(part="planted")])
    with pytest.raises(InputError, match="fov_id FID00000000 lies in several parts"):
        check_no_leak(leaking, "fov", "split")


@pytest.mark.parametrize("unit", ["protein", "fov"])
def test_every_fraction_keeps_every_class_and_lies_inside_the_next(unit):
    split = make_split(*study(), unit=unit, **SETTINGS)
    for _, train in split[split["part"] == "train"].groupby("seed"):
        inside = [set(train.loc[train["fraction"] <= fraction, "fov_id"]) for fraction in FRACTIONS]
        assert all(smaller <= larger for smaller, larger in itertools.pairwise(inside))
        for fields in inside:
            assert train[train["fov_id"].isin(fields)].explode("labels")["labels"].nunique() == 5


def test_a_fraction_too_small_for_the_classes_is_reported(caplog):
    with caplog.at_level(logging.INFO):
        make_split(*study(), unit="protein", **SETTINGS)
    assert "fraction 0.05 holds more, or no protein of some class would be left" in caplog.text
    assert "seed 0: 35 train proteins; in fraction 0.05: 5" in caplog.text


@pytest.mark.parametrize("unit", ["protein", "fov"])
def test_validation_shrinks_with_the_fraction_nested_and_with_each_class(unit):
    split = make_split(*study(per_class=40), unit=unit, **SETTINGS)
    for _, part in split[split["part"] == "validation"].groupby("seed"):
        inside = [set(part.loc[part["fraction"] <= fraction, "fov_id"]) for fraction in FRACTIONS]
        assert all(smaller <= larger for smaller, larger in itertools.pairwise(inside))
        assert len(inside[2]) / len(part) == pytest.approx(0.5, abs=0.06)
        assert len(inside[0]) < len(part) / 4
        for fields in inside:
            assert part[part["fov_id"].isin(fields)].explode("labels")["labels"].nunique() == 5


def test_validation_stays_whole_where_that_is_asked_for_and_the_log_says_so(caplog):
    shrunk, whole = (
        make_split(*study(), unit="protein", whole_validation=whole, **SETTINGS) for whole in (False, True)
    )
    assert (whole.loc[whole["part"] == "validation", "fraction"] == min(FRACTIONS)).all()
    train = whole["part"] == "train"
    pd.testing.assert_frame_equal(shrunk[train], whole[train])
    assert "choices are made on the whole validation part" in caplog.text


def test_few_shot_draws_have_as_many_proteins_of_each_class_in_training_and_validation_and_are_nested():
    fovs, labels = study(per_class=40)
    split = make_split(fovs, labels, unit="protein", shots=[1, 2, 4], **SETTINGS)
    for _, part in split[split["part"] != "test"].groupby(["seed", "part"]):
        inside = [part[part["shots"] <= count] for count in (1, 2, 4)]
        for rows, count in zip(inside, (1, 2, 4), strict=True):
            assert set(rows.explode("labels").groupby("labels")["gene"].nunique()) == {count}
            assert (rows.groupby("gene")["fov_id"].nunique() == 4).all()
        assert set(inside[0]["gene"]) < set(inside[1]["gene"]) < set(inside[2]["gene"])
    assert split.loc[split["part"] == "test", "shots"].isna().all()
    draws = [set(split.loc[(split["seed"] == seed) & (split["shots"] == 1), "gene"]) for seed in (0, 1)]
    assert draws[0] != draws[1]


def test_a_few_shot_draw_takes_all_of_a_class_that_has_fewer():
    indicator = np.array([[1, 0], [1, 0], [1, 0], [1, 1], [0, 1]], dtype=bool)
    smallest = draw_shots(indicator, [1, 3], [0])
    of_one, of_three = indicator[smallest <= 1].sum(axis=0), indicator[smallest <= 3].sum(axis=0)
    assert of_one.tolist() == [1, 1] and of_three.tolist() == [3, 2]


def test_designs_use_what_they_hold_and_have_keys_of_their_own():
    fovs, labels = study(per_class=40)
    split = make_split(fovs, labels, unit="protein", shots=[2], **SETTINGS)
    runs = plan({("protein", "single"): split}, [0.1, 1.0], [2], Variant("none"))
    assert [(run.fraction, run.shots, run.seed) for run in runs] == [
        *((0.1, 0, seed) for seed in (0, 1)),
        *((1.0, 0, seed) for seed in (0, 1)),
        *((1.0, 2, seed) for seed in (0, 1)),
    ]
    assert len({run.key for run in runs}) == len(runs)
    few = runs[-1]
    assert few.part("train")["gene"].nunique() == few.part("validation")["gene"].nunique() == 10
    assert few.part("test")["fov_id"].tolist() == runs[1].part("test")["fov_id"].tolist()
    assert few.trained_on == {"groups_trained": 10, "images_trained": 40, "labels_trained": 20}
    assert few.name == "none, split by protein, single labels, 2 shots, seed 1"


def test_a_run_has_another_key_if_what_is_masked_is_another():
    fovs, labels = study()
    keys = []
    for lower_grades in ("masked", "negative"):
        table = proteins(gene=[*labels], grade_3=[*labels.values()], grade_2=[["class_0"]] * len(labels))
        others = annotations(table, labels, lower_grades)
        split = make_split(fovs, labels, unit="protein", annotations=others, **SETTINGS)
        keys.append({run.key for run in plan({("protein", "single"): split}, FRACTIONS, [], Variant("none"))})
    assert not keys[0] & keys[1]


def test_large_fractions_have_the_size_asked_for():
    rng = np.random.default_rng(0)
    indicator = rng.random((1000, 8)) < 0.15
    indicator[~indicator.any(axis=1), 0] = True
    smallest = nest(indicator, [0.1, 0.25, 0.5], seed=[3])
    for fraction in (0.1, 0.25, 0.5):
        assert np.mean(smallest <= fraction) == pytest.approx(fraction, abs=0.01)
    assert np.mean(np.isnan(smallest)) == pytest.approx(0.5, abs=0.01)


def test_classes_are_spread_over_the_parts_with_several_labels_each():
    fovs, labels = study(classes=4, per_class=20)
    several = {gene: sorted({*own, f"class_{n % 3}"}) for n, (gene, own) in enumerate(labels.items())}
    split = make_split(fovs, several, unit="protein", **SETTINGS).explode("labels")
    counts = split.groupby(["seed", "labels"])["part"].value_counts(normalize=True).unstack()
    assert np.allclose(counts[list(PARTS)], [0.6, 0.15, 0.25], atol=0.06)


def test_a_split_depends_on_the_seed_and_not_on_the_order_of_the_fields():
    fovs, labels = study()
    key = ["seed", "fov_id"]
    first = make_split(fovs, labels, unit="protein", **SETTINGS).sort_values(key, ignore_index=True)
    mixed = fovs.sample(frac=1, random_state=0, ignore_index=True)
    again = make_split(mixed, labels, unit="protein", **SETTINGS).sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(first, again)
    parts = first.pivot(index="fov_id", columns="seed", values="part")
    assert not parts[0].equals(parts[1])


def test_bad_fields_and_unlabelled_proteins_are_left_out():
    fovs, labels = study()
    fovs.loc[0, "status"] = "bad"
    labels.pop("G001")
    split = make_split(fovs, labels, unit="protein", **SETTINGS)
    assert fovs.loc[0, "fov_id"] not in set(split["fov_id"])
    assert "G001" not in set(split["gene"])


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"classes": 1}, "1 of the classes have enough proteins with images where two are needed"),
        ({"per_class": 1}, r"class class_\d is only in \w+; add images or raise splits.min_proteins"),
        ({"classes": 2, "per_class": 2}, "no field is left for validation"),
    ],
)
def test_a_split_that_cannot_be_is_refused(size, message):
    with pytest.raises(InputError, match=message):
        make_split(*study(**size), unit="protein", **SETTINGS)


def test_single_keeps_proteins_with_one_label_of_grade_3():
    table = proteins(grade_3=[["er"], ["er", "golgi"], [], ["golgi"]], grade_2=[["golgi"], [], ["er"], []])
    assert labels_by_gene(table, "single", 3, 1) == {"G0": ["er"], "G3": ["golgi"]}


@pytest.mark.parametrize(
    ("min_grade", "expected"),
    [
        (3, {"G0": ["er"]}),
        (2, {"G0": ["er", "golgi"], "G1": ["er"]}),
        (1, {"G0": ["er", "golgi"], "G1": ["er"]}),
    ],
)
def test_multi_keeps_labels_from_a_grade_upwards(min_grade, expected):
    table = proteins(grade_3=[["er"], []], grade_2=[["golgi"], ["er"]])
    assert labels_by_gene(table, "multi", min_grade, 1) == expected


def test_rare_classes_and_proteins_without_images_are_left_out_and_reported(caplog):
    table = proteins(grade_3=[["er"], ["er"], ["golgi"], ["golgi"]], fovs=[1, 1, 1, 0])
    assert labels_by_gene(table, "single", 3, 2) == {"G0": ["er"], "G1": ["er"]}
    assert "classes left out, fewer than 2 proteins: golgi (1)" in caplog.text


@pytest.mark.parametrize(
    ("policy", "min_grade", "masked"),
    [
        ("single", 3, [["golgi"], [], ["er"], []]),
        ("multi", 3, [["golgi"], [], ["er"], []]),
        ("multi", 2, [[], [], ["er"], []]),
        ("multi", 1, [[], [], [], []]),
    ],
)
def test_annotations_that_do_not_count_are_masked_or_negative(policy, min_grade, masked):
    grades = {"grade_3": [["er"], ["er"], ["golgi"], ["golgi"]], "grade_2": [["golgi", "rare"], [], [], []]}
    table = proteins(**grades, grade_1=[[], [], ["er"], []])
    labels = labels_by_gene(table, policy, min_grade, 2)
    found = annotations(table, labels, "masked")
    assert found["masked"].to_list() == masked
    assert found["annotated"].to_list() == [["er", "golgi", "rare"], ["er"], ["er", "golgi"], ["golgi"]]
    assert found["clean"].to_list() == [False, True, False, True]
    assert annotations(table, labels, "negative")["masked"].to_list() == [[], [], [], []]


def test_masks_are_of_the_classes_of_the_run_and_give_way_to_soft_targets():
    split = pd.DataFrame({"image_id": ["FID1", "FID2"], "masked": [["golgi"], []]})
    assert {image: of.tolist() for image, of in masks(split, ["er", "golgi"]).items()} == {
        "FID1": [False, True],
        "FID2": [False, False],
    }
    assert not masks(split, ["er", "golgi"], {3: 1.0, 2: 0.5, 1: 0.2})["FID1"].any()
