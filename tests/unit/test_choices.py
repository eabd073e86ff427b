"""Choices are made on validation: whatever the test labels are, they are the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from protloc.choices import best_k, ranked, reported, validation_proteins, with_validation
from protloc.config.settings import Probe
from protloc.evaluate.enough import enough
from protloc.evaluate.paired import compare
from protloc.evaluate.study import score_study
from protloc.figures.confusion import best_routes
from protloc.figures.fractions import DESIGNS, NAMED, _named, scores_over
from protloc.figures.full_scores import full_scores
from protloc.finetune.best import Best
from protloc.finetune.task import Task
from protloc.heads.data import run_data
from protloc.kept import KeptRuns
from protloc.probe.runs import probe
from protloc.report.index.answer import chosen, split
from protloc.report.index.study import Names, Tables
from protloc.runs import Run, plan, prediction_rows
from protloc.splits.table import make_split
from protloc.tables import write_table
from protloc.variants import Variant

CLASSES = ("er", "golgi", "vesicles")
NOISE = {("linear", "good", "a"): 1.0, ("linear", "good", "b"): 3.0, ("linear", "fair", "a"): 2.0}
NOISE |= {("mlp", "good", "a"): 6.0, ("mlp", "good", "b"): 5.0, ("mlp", "fair", "a"): 4.0}
TESTED = ("validation", "test")
NAMES = Names({"good": "Good", "fair": "Fair"}, [], {}, ["a", "b"])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


def divided(policy: str) -> pd.DataFrame:
    """A split of 60 proteins of two fields, of which a third have a second label under `multi`."""
    labels = {f"G{number:02d}": [CLASSES[number % 3]] for number in range(60)}
    if policy == "multi":
        labels = {
            gene: sorted({*own, CLASSES[int(gene[1:]) % 2]}) if int(gene[1:]) % 3 == 2 else own
            for gene, own in labels.items()
        }
    rows = [(f"FID{10 * int(gene[1:]) + field:08d}", gene) for gene in labels for field in (0, 1)]
    fovs = pd.DataFrame(rows, columns=["fov_id", "gene"]).assign(status="ok")
    shares = {"test_share": 0.25, "validation_share": 0.25, "fractions": [0.5, 1.0], "seeds": [0, 1]}
    return make_split(fovs, labels, unit="protein", shots=[2], **shares)


def shuffled(table: pd.DataFrame, column: str, where: pd.Series) -> pd.DataFrame:
    """The table with the labels in a column given to other proteins, among those of some rows."""
    table = table.copy()
    for _, rows in table[where].groupby("seed"):
        of_genes = rows.drop_duplicates("gene").set_index("gene")[column]
        mixed = dict(zip(of_genes.index, np.roll(of_genes.to_numpy(object), 1), strict=True))
        table.loc[rows.index, column] = pd.Series(rows["gene"].map(mixed), dtype=object)
    return table


def probabilities(table: pd.DataFrame, noise: float) -> tuple[list[str], np.ndarray]:
    """Names of the images and float32 (images, classes): the more noise, the less they say of the labels."""
    rng = np.random.default_rng(int(10 * noise))
    one = table.drop_duplicates("image_id").sort_values("image_id")
    truth = np.stack([np.isin(CLASSES, labels) for labels in one["labels"]])
    scores = np.exp(2 * truth + noise * rng.normal(size=truth.shape))
    return list(one["image_id"]), np.float32(scores / scores.sum(axis=1, keepdims=True))


def study(folder: Path, named: pd.DataFrame, given: pd.DataFrame, policy: str) -> dict[str, object]:
    """All that a study chooses, of probabilities that say the labels of `named` and the split `given`."""
    jobs, thresholds = [], []
    folder.mkdir()
    for (task, *route), noise in NOISE.items():
        runs = plan({("protein", policy): given}, [0.5, 1.0], [2], Variant(route[-1]))
        said = dict(zip(*probabilities(named, noise), strict=True))
        tables = []
        for run in runs:
            parts = {part: np.stack([said[name] for name in run.part(part)["image_id"]]) for part in TESTED}
            tables.append(prediction_rows(run, parts, ""))
            thresholds.append(list(map(float, tables[-1]["thresholds"][0])))
        path = folder / f"{task}-{'-'.join(route)}.parquet"
        write_table("predictions", pd.concat(tables), path)
        jobs.append(("predictions", str(path), [task, "fov", *route, 1.0]))
    metrics, summary, sides = score_study(jobs, 20, 1)
    return chosen_of(metrics, summary, compare(sides)) | {"thresholds": thresholds, "summary": summary}


def chosen_of(metrics: pd.DataFrame, summary: pd.DataFrame, comparisons: pd.DataFrame) -> dict[str, object]:
    """What the page and the figures choose of the scores."""
    tables = Tables(metrics, summary, comparisons, enough(summary), heads=["linear", "mlp"])
    learned, _ = split(tables.frozen, NAMES)
    row = chosen(tables, NAMES)
    figure = scores_over(DESIGNS["fractions"], summary, tables.task)
    return {
        "head": tables.task,
        "winner": (row["backbone"], row["strategy"]),
        "order": list(zip(learned["backbone"], learned["strategy"], strict=True)),
        "confusion": [best.route for best in best_routes(full_scores(summary, tables.task, []))],
        "fractions": _named(figure, [("good", "a"), ("good", "b"), ("fair", "a")] * NAMED),
    }


@pytest.mark.parametrize("policy", ["single", "multi"])
def test_shuffled_test_labels_change_scores_and_no_choice(policy, tmp_path):
    named = divided(policy)
    mixed = shuffled(named, "labels", named["part"] == "test")
    honest, blind = (
        study(tmp_path / name, named, given, policy) for name, given in (("a", named), ("b", mixed))
    )
    scores = [
        reported(of.pop("summary")).query("metric == 'macro_f1'")["mean"].to_numpy() for of in (honest, blind)
    ]
    assert honest == blind
    assert np.mean(scores[0] - scores[1]) > 0.1  # what is reported does depend on them
    assert honest["winner"] == ("good", "a") and honest["head"] == "linear"
    if policy == "multi":
        assert any(cut != 0.5 for cuts in honest["thresholds"] for cut in cuts)


def both(named: pd.DataFrame) -> Iterator[Run]:
    """Yield a run on a split, and on that with test labels shuffled."""
    for given in (named, shuffled(named, "labels", named["part"] == "test")):
        yield plan({("protein", "single"): given}, [1.0], [], Variant("none"))[0]


def test_shuffled_test_labels_do_not_change_the_epoch_that_is_kept():
    named, kept = divided("single"), []
    names, vectors = probabilities(named, 1.0)
    settings = Probe().model_dump(exclude={"heads"})
    for run in both(named):
        task = Task(run_data(run, pd.Index(names), vectors, pd.DataFrame(), settings))
        rng, best = np.random.default_rng(0), Best({"weight": torch.zeros(1)})
        for epoch in range(8):
            logits = rng.normal(size=(len(run.part("validation")), 3))
            best.look(epoch, torch.from_numpy(np.float32(logits)), task)
        kept.append((best.epoch, best.score))
    assert kept[0] == kept[1] and kept[0][0] > 0


def test_shuffled_test_labels_do_not_change_what_a_probe_chooses(tmp_path):
    """Step, decay and all else that decides the head: its probabilities are the same to the bit."""
    named = divided("single")
    settings, found = Probe().model_dump(exclude={"heads"}), []
    for number, run in enumerate(both(named)):
        kept = KeptRuns("predictions", tmp_path / str(number), number)
        rows = probe(*probabilities(named, 1.0), [run], kept, pd.DataFrame(), Probe().heads[0], settings)
        found.append(pa.concat_tables(rows).to_pandas())
    first, second = found
    assert np.array_equal(*(np.stack(table["probabilities"]) for table in found))
    tested = first["subset"] == "test"
    assert (first.loc[tested, "truth"].map(tuple) != second.loc[tested, "truth"].map(tuple)).any()


def neighbours(right: dict[int, float], seeds=(0, 1)) -> pd.DataFrame:
    """Rows of `neighbours` of two cells of each of 30 proteins; votes at k are right so often."""
    rng = np.random.default_rng(0)
    rows = []
    for seed in seeds:
        for number in range(60):
            truth = CLASSES[number % 30 % 3]
            hit = rng.random(len(right)) < np.array(list(right.values()))
            votes = np.where(hit, truth, CLASSES[(number + 1) % 3])
            rows.append(
                {"seed": seed, "cell_id": f"FID{number:08d}-0001", "gene": f"G{number % 30:02d}"}
                | {"fov_id": f"FID{number:08d}", "truth": truth, "plain": votes, "weighted": votes}
            )
    table = pd.DataFrame(rows).assign(label_policy="single", apart="protein")
    listed = {"k": [list(right)] * len(rows), "nearest": [["other"]] * len(rows)}
    return table.assign(**listed, similarity=[np.float32([0.5])] * len(rows))


def test_k_is_chosen_on_the_proteins_of_validation_and_reported_of_the_others(tmp_path):
    table = neighbours({1: 0.5, 5: 0.9, 20: 0.6})
    held = {f"G{number:02d}" for number in range(9)}
    tested = ~table["gene"].isin(held)
    found = []
    for rows in (table, shuffled(table, "truth", tested)):
        path = tmp_path / "neighbours.parquet"
        rows = rows.assign(padded_fraction=0.0, strategy="a", scale=1.0)
        write_table("neighbours", rows, path)
        _, summary, _ = score_study([("neighbours", str(path), ["cell", "good", "a", 1.0])], 50, 1, held)
        scores = with_validation(summary.query("metric == 'macro_f1' and task == 'knn'"))
        found.append((best_k(scores), scores["validation"].to_list(), scores["mean"].to_list()))
    assert found[0][:2] == found[1][:2] and found[0][2] != found[1][2]
    assert found[0][0] == 5
    wrong = [truth != votes[1] for truth, votes in zip(table["truth"], table["plain"], strict=True)]
    assert 0 < np.mean(wrong) < 1


def test_without_validation_the_middle_k_is_taken_and_the_order_is_that_of_the_scores():
    rows = pd.DataFrame({"k": [1, 5, 20], "backbone": "a", "mean": [0.9, 0.1, 0.2], "validation": np.nan})
    assert best_k(rows) == 5 and best_k(rows[:0]) is None
    assert ranked(rows)["mean"].tolist() == [0.9, 0.2, 0.1]
    assert ranked(rows.assign(validation=[0.1, 0.2, np.nan]))["k"].tolist() == [5, 1, 20]
    assert best_k(rows.assign(validation=[0.3, 0.2, 0.3])) == 1


def test_the_proteins_of_validation_are_those_of_the_first_seed_split_by_protein():
    table = divided("single")
    first = table[(table["seed"] == 0) & (table["part"] == "validation")]
    splits = {("fov", "single"): table, ("protein", "multi"): table.assign(gene="other")}
    assert validation_proteins(splits | {("protein", "single"): table}) == set(first["gene"])
    assert validation_proteins(splits) == {"other"}
    assert validation_proteins({("fov", "single"): table}) == set()
