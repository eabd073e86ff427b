"""The page that is opened first: every word of its answer comes from the tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from protloc.report.bibtex import bibtex
from protloc.report.dictionary import dictionary
from protloc.report.index.answer import answer
from protloc.report.index.cautions import cautions, missing_routes
from protloc.report.index.page import Data, Figure, index_page
from protloc.report.index.study import Names, Tables
from protloc.tables import TABLES, empty_table
from subsets import in_both_subsets

NAMES = Names(
    titles={
        "good": "Good network",
        "fair": "Fair network",
        "good_untrained": "Untrained",
        "majority": "Guess",
    },
    controls=["good_untrained", "majority"],
    untrained={"good": "good_untrained"},
    strategies=["adapt"],
)
USUAL = {
    "task": "linear",
    "level": "fov",
    "strategy": "adapt",
    "split_unit": "protein",
    "label_policy": "single",
}
MEANS = {"good": 0.6, "fair": 0.5, "good_untrained": 0.2, "majority": 0.1}
CLASS_F1 = {"er": 0.9, "golgi": 0.7, "membrane": 0.5, "vesicles": 0.1}
EMPTY = {name: empty_table(name) for name in ("metrics", "summary", "comparisons", "enough")}


def summary(
    means: dict[str, float], validation: Callable[[pd.Series], pd.Series] | None = None, **columns: object
) -> pd.DataFrame:
    """Macro F1 of backbones in test, and what `validation` makes of it on validation."""
    rows = [
        USUAL
        | {"backbone": name, "fraction": 1.0, "k": None, "metric": "macro_f1", "runs": 3, "sd": 0.01}
        | {"mean": mean, "low": mean - 0.05, "high": mean + 0.05}
        | columns
        for name, mean in means.items()
    ]
    table = pd.DataFrame(rows).astype({"k": "Int64"})
    return in_both_subsets(table, validation or (lambda means: means))


def comparison(first: str, other: str, difference: float, **columns: object) -> dict:
    """A row of `comparisons` with an interval of ± 0.05."""
    row = {f"other_{name}": USUAL[name] for name in ("task", "strategy")} | USUAL
    row |= {"backbone": first, "other_backbone": other, "compared": "backbone", "fraction": 1.0, "shots": 0}
    row |= {"k": None, "metric": "macro_f1", "runs": 3, "missing": 0, "proteins": 40, "sd": 0.01, "p": 0.001}
    row |= {"difference": difference, "low": difference - 0.05, "high": difference + 0.05, "p_holm": 0.01}
    return row | columns


def comparisons(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame([*rows], columns=[column.name for column in TABLES["comparisons"].columns]).astype(
        {"k": "Int64"}
    )


def metrics(values: dict[str, float]) -> pd.DataFrame:
    rows = [
        USUAL
        | {
            "backbone": "good",
            "fraction": 1.0,
            "shots": 0,
            "subset": "test",
            "seed": seed,
            "k": None,
            "metric": f"f1_{name}",
            "value": value,
        }
        for name, value in values.items()
        for seed in (0, 1)
    ]
    return pd.DataFrame(rows)


def enough(fraction: float) -> pd.DataFrame:
    row = USUAL | {
        "backbone": "good",
        "metric": "macro_f1",
        "fractions": 3,
        "full": 0.6,
        "fraction": fraction,
    }
    return pd.DataFrame([row | {"mean": 0.57, "low": 0.52, "high": 0.61}])


def tables(**changes: pd.DataFrame) -> Tables:
    found = {
        "metrics": metrics(CLASS_F1),
        "summary": summary(MEANS),
        "comparisons": comparisons(
            comparison("fair", "good", -0.1),
            comparison("good", "good_untrained", 0.4),
            comparison("good", "majority", 0.5),
        ),
        "enough": enough(0.25),
    }
    return Tables(**found | changes, heads=["linear"])


def test_the_answer_names_the_best_its_rivals_and_how_sure_that_is():
    first, second, third = answer(tables(), NAMES)
    assert first == (
        "On proteins that its probe has not seen, Good network is the best frozen backbone, chosen on the "
        "validation part: macro F1 0.600 (0.550 to 0.650) in test, ahead of the next, Fair network at 0.500 "
        "(+0.100, +0.050 to +0.150, p = 0.010), ahead of the strongest control, Untrained at 0.200 (+0.400, "
        "+0.350 to +0.450, p = 0.010)."
    )
    assert second.startswith(
        "25% of the labelled data is enough: its interval there reaches its score with all"
    )
    assert second.endswith("nothing was fine-tuned.")
    assert third == (
        "It is best at er (0.90) and golgi (0.70), worst at membrane (0.50) and vesicles (0.10) by F1; "
        "single cells were not scored."
    )


def test_another_metric_in_a_table_is_another_sentence():
    changed = summary(MEANS | {"fair": 0.7})
    before, after = answer(tables(), NAMES), answer(tables(summary=changed), NAMES)
    assert "Good network is the best" in before[0]
    assert (
        "Fair network is the best frozen backbone, chosen on the validation part: macro F1 0.700" in after[0]
    )
    assert "behind the next, Good network" in after[0]  # the comparison still says so, and is not hidden
    assert answer(tables(enough=enough(1.0)), NAMES)[1].startswith("No smaller share of the labelled data")
    assert "er (0.30)" in answer(tables(metrics=metrics(CLASS_F1 | {"er": 0.3})), NAMES)[2]


def test_a_network_that_was_pretrained_on_what_is_tested_is_not_said_not_to_have_seen_it():
    where = {"transductive": [("good", "protein", "single")]}
    assert answer(tables(), replace(NAMES, **where))[0].startswith(
        "On proteins that its probe has not seen, and its pretraining in part has, Good network is the best"
    )
    others = {"transductive": [("fair", "protein", "single"), ("good", "protein", "multi")]}
    assert answer(tables(), replace(NAMES, **others)) == answer(tables(), NAMES)


def test_what_chance_explains_is_not_told_apart():
    near = comparisons(comparison("fair", "good", -0.02, p_holm=0.4))
    assert "not told apart from the next, Fair network" in answer(tables(comparisons=near), NAMES)[0]
    corrected = comparisons(comparison("fair", "good", -0.1, p_holm=0.2))
    assert "not told apart from the next, Fair network" in answer(tables(comparisons=corrected), NAMES)[0]


@pytest.mark.parametrize(("gain", "word"), [(0.1, "improves"), (-0.1, "worsens")])
def test_fine_tuning_is_said_to_do_what_the_comparison_says(gain, word):
    tuned = summary({"good": 0.6 + gain}, task="finetune")
    row = comparison("good", "good", gain, task="finetune", compared="training")
    row["other_task"] = "finetune_epoch_0"
    before = summary({"good": 0.6}, task="finetune_epoch_0")
    rows = pd.concat([summary(MEANS), before, tuned])
    found = answer(tables(summary=rows, comparisons=comparisons(row)), NAMES)
    assert f"fine-tuning {word} Good network" in found[1]


def test_the_best_are_chosen_on_validation_and_reported_in_test():
    """Upside down in test, and nothing else is chosen; the page reports what the choice scores there."""
    turned = summary({name: 1 - mean for name, mean in MEANS.items()}, lambda means: 1 - means)
    mlp = summary({"good": 0.3}, lambda means: means + 0.4, task="mlp")
    several = Tables(**vars(tables(summary=turned)) | {"heads": ["linear"]})
    first = answer(several, NAMES)[0]
    assert (
        "Good network is the best" in first and "macro F1 0.400" in first and "Fair network at 0.500" in first
    )
    both = Tables(**vars(tables(summary=pd.concat([turned, mlp]))) | {"heads": ["linear", "mlp"]})
    assert both.task == "mlp" and "Good network is the best" in answer(both, NAMES)[0]
    assert "(head mlp): macro F1 0.300" in answer(both, NAMES)[0]


def test_cells_are_named_at_the_number_of_neighbours_that_is_best_on_validation():
    ks = {1: (0.5, 0.3), 5: (0.4, 0.6), 50: (0.9, 0.5)}
    rows = [
        summary({"good": mean}, lambda means, best=best: 0 * means + best, task="knn", level="cell", k=k)
        for k, (mean, best) in ks.items()
    ]
    table = pd.concat([summary(MEANS), *rows])
    found = answer(tables(summary=table), NAMES)[2]
    voters = "single cells are told best by Good network, from 5 neighbours of other proteins"
    assert f"{voters}: macro F1 0.400" in found
    without = answer(tables(summary=table[table["subset"] == "test"]), NAMES)[2]
    assert f"{voters} (without proteins of validation: highest of the scores, middle k): macro" in without


def test_what_the_labels_allow_is_beside_the_score():
    more = metrics({"any_annotated": 0.75, "clean_macro_f1": 0.7, "label_ceiling": 0.8})
    more["metric"] = more["metric"].str.removeprefix("f1_")
    said = cautions(**USUALLY | {"tables": tables(metrics=pd.concat([metrics(CLASS_F1), more]))})
    assert (
        "Labels are incomplete: of Good network, the likeliest class is annotated at some grade for 75% of "
        "the images. On proteins with one label and no weaker one macro F1 is 0.700. A reader who sees all "
        "annotated classes and not their grades would score 0.800."
    ) in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (EMPTY, "No probe was trained in this study"),
        (
            {"summary": summary({"majority": 0.1, "good_untrained": 0.2})},
            "Only controls were probed; Untrained is",
        ),
        ({"summary": summary({"good": 0.6})}, "the only one that was tried, no control."),
        ({"summary": summary(MEANS, low=float("nan"), high=float("nan"))}, "macro F1 0.600 (no interval)"),
        ({"metrics": metrics({"er": 0.9})}, "There is one class alone, er (0.90)"),
        ({"enough": enough(0.5).assign(full=None, fraction=None)}, "All of the labelled data was not tried"),
        ({"enough": enough(1.0).assign(fractions=1)}, "Only all of the labelled data was tried"),
    ],
)
def test_what_is_missing_is_said(changes, said):
    assert said in " ".join(answer(tables(**changes), NAMES))


def fovs(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"gene": ["A", "B"], "status": "ok", "problem": None} | columns)


SHORT = comparison("good", "fair", 0.1, missing=1)
EQUAL = comparison("good", "good_untrained", 0.01, p_holm=0.5)
KNOWN = summary({"good": 0.8}, split_unit="fov")
PROTEINS = pd.DataFrame({"gene": ["A", "B"], "problem": [None, None]})
NO_IMAGES = empty_table("pretraining_images")
PARTS = {"part": ["train", "validation"], "fraction": [0.1, 1.0]}
SPLITS = {"protein-single": pd.DataFrame({"labels": [["er"], ["golgi"]]} | PARTS)}
WHOLE = {
    "part": ["train", "train", "validation"],
    "fraction": [0.1, 1.0, 0.1],
    "labels": [["er"], ["golgi"], ["er"]],
}
USUALLY = {
    "tables": tables(),
    "names": NAMES,
    "fovs": fovs(),
    "proteins": PROTEINS,
    "splits": SPLITS,
    "classes": ["er", "golgi"],
    "images": NO_IMAGES,
}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"fovs": fovs(status=["ok", "bad"])}, "1 of 2 fields of view are left out"),
        ({"fovs": fovs(problem=["odd", None])}, "1 fields of view were used although something is odd"),
        ({"proteins": PROTEINS.assign(problem="no images")}, "2 of 2 proteins of the label table"),
        ({"classes": ["er", "golgi", "chromatin"]}, "split by protein, single labels: chromatin."),
        (
            {"splits": {"fov-multi": pd.DataFrame({"labels": [["er"]] * 2} | PARTS)}},
            "one class alone (split by fov, multi labels)",
        ),
        (
            {"splits": {"fov-multi": pd.DataFrame(WHOLE)}},
            "whole validation part (split by fov, multi labels)",
        ),
        ({"tables": tables(summary=summary(MEANS, runs=1))}, "There is one seed"),
        ({"tables": tables(summary=summary(MEANS, low=float("nan")))}, "4 of 4 scores have no interval"),
        ({"tables": tables(comparisons=comparisons(SHORT))}, "1 of 1 comparisons lack runs"),
        ({"tables": tables(comparisons=comparisons(EQUAL))}, "is not above the same network untrained"),
        ({}, "Fair network has no control"),
        ({"tables": tables(summary=pd.concat([summary(MEANS), KNOWN]))}, "scores 0.800 instead of 0.600"),
    ],
)
def test_a_caution_is_there_where_there_is_reason(found, said):
    assert [sentence for sentence in cautions(**USUALLY | found) if said in sentence]
    if found:
        assert not [sentence for sentence in cautions(**USUALLY) if said in sentence]


def test_strategies_that_say_nothing_of_their_own_are_named():
    same = {"good": {"map_natural": ["replicate_fill", "adapt"]}, "fair": {"adapt": []}}
    little = {"impossible": {"fair": ["map_natural"]}, "far": ["Cells of Good network are small"]}
    names = replace(NAMES, same=same, **little)
    said = cautions(**USUALLY | {"names": names})
    assert "For Good network replicate fill, adapt are the same as map natural: it was run once." in said
    assert "Fair network has too few inputs for map natural: not run." in said
    assert "Cells of Good network are small." in said
    assert sum("the same as" in sentence for sentence in said) == 1


def test_a_route_without_results_is_named():
    expected = [("linear", "good", "adapt"), ("finetune", "fair", "adapt")]
    assert missing_routes(expected, tables(), NAMES) == [
        "Fair network has no results (finetune): its step failed, or was left out."
    ]


def page(**changes: object) -> str:
    usual = {
        "study": {"study": "trial", "splits": None, "probe": {"heads": ["linear"]}},
        "data": Data(fovs(), PROTEINS, SPLITS, NO_IMAGES, ["er", "golgi"], simulated=False),
        "tables": tables(),
        "names": NAMES,
        "expected": [],
        "claims": {},
        "published": empty_table("published"),
        "figures": [],
        "files": ["summary.parquet", "figures/a.png"],
    }
    return index_page(**usual | changes)


def test_simulated_data_is_the_first_thing_that_is_said():
    simulated = page(data=Data(fovs(), PROTEINS, SPLITS, NO_IMAGES, ["er", "golgi"], simulated=True))
    body = re.sub(r"<[^>]+>|\s+", " ", simulated.partition("<body>")[2]).split()
    assert body[:4] == ["Simulated", "images:", "no", "cells"]
    assert "Simulated images" not in page()


def test_nothing_from_the_data_becomes_markup():
    names = Names(
        NAMES.titles | {"good": "<script>alert(1)</script>"}, NAMES.controls, NAMES.untrained, ["adapt"]
    )
    figure = Figure(
        "Macro F1", "<b>x</b>", "A caption with <i>markup</i>.\n\n.. raw:: html\n\n   <u>no</u>\n", ["a.png"]
    )
    made = page(names=names, figures=[figure])
    for tag in ("<script", "<b>x", "<i>", "<u>"):
        assert tag not in made


def test_a_study_without_scores_has_a_page():
    made = page(
        tables=Tables(**EMPTY, heads=["linear"]),
        data=Data(fovs(), PROTEINS, {}, NO_IMAGES, ["er"], simulated=False),
    )
    assert "No probe was trained in this study" in made
    assert 'href="#scores"' not in made


def test_the_dictionary_has_every_column_of_every_table():
    rows = set(dictionary()[["table", "column"]].itertuples(index=False, name=None))
    assert rows == {(name, column.name) for name, table in TABLES.items() for column in table.columns}


def test_citations_become_entries_once_each():
    made = bibtex(
        ["Tan & Le 2019, EfficientNet, arXiv 1905.11946", "Cho et al. 2022, A & B, Science 375, e1"] * 2
    )
    assert made.count("@misc{") == 2
    assert "@misc{tan2019efficientnet,\n  author = {Tan and Le}" in made
    assert "author = {Cho and others}" in made
    assert r"title = {{A \& B}}" in made
    assert "howpublished = {Science 375, e1}" in made
