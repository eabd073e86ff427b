"""What a reader has to know before the numbers are believed: each a sentence, computed from the tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from protloc.choices import reported
from protloc.report.index.answer import chosen
from protloc.report.index.pretraining import seen_in_pretraining
from protloc.report.index.study import METRIC, ROUTE, SETTING, Names, Tables, like

ALL_SHOWN = 6


def cautions(
    tables: Tables,
    names: Names,
    fovs: pd.DataFrame,
    proteins: pd.DataFrame,
    splits: Mapping[str, pd.DataFrame],
    images: pd.DataFrame,
    classes: Sequence[str],
) -> list[str]:
    """Sentences on what was left out, what is missing, and which networks are not above their controls.

    `splits` are the tables of that name by `{split_unit}-{label_policy}`, `images` is `pretraining_images`,
    `classes` are the study's.
    """
    found = [*_data(fovs, proteins), *_classes(splits, classes), *_validation(splits), *_runs(tables)]
    found += seen_in_pretraining(tables, names, images, splits)
    found += [*_strategies(names), *_labels(tables, names), *_controls(tables, names)]
    return [*found, *_closeness(tables, names)]


def missing_routes(expected: Sequence[Sequence[str]], tables: Tables, names: Names) -> list[str]:
    """What was asked for and has no score: a sentence for each task, backbone and strategy of `expected`."""
    there = set(tables.summary[["task", "backbone", "strategy"]].itertuples(index=False, name=None))
    gone = [route for route in map(tuple, expected) if route not in there]
    called = [(task, names.route({"backbone": name, "strategy": strategy})) for task, name, strategy in gone]
    return [f"{name} has no results ({task}): its step failed, or was left out." for task, name in called]


def _data(fovs: pd.DataFrame, proteins: pd.DataFrame) -> Iterator[str]:
    bad = int((fovs["status"] == "bad").sum())
    if bad:
        yield f"{bad:,} of {len(fovs):,} fields of view are left out; fovs.parquet says why."
    doubtful = int((fovs["status"].eq("ok") & fovs["problem"].notna()).sum())
    if doubtful:
        yield f"{doubtful:,} fields of view were used although something is odd; fovs.parquet says what."
    odd = int(proteins["problem"].notna().sum())
    if odd:
        what = "proteins of the label table lack images, or an id differs"
        yield f"{odd:,} of {len(proteins):,} {what}; proteins.parquet says which."


def _classes(splits: Mapping[str, pd.DataFrame], classes: Sequence[str]) -> Iterator[str]:
    for name, table in splits.items():
        there = set(table["labels"].explode())
        gone = [label for label in classes if label not in there]
        unit, policy = name.split("-")
        where = f"split by {unit}, {policy} labels"
        if gone:
            yield f"Left out for want of proteins, {where}: {listed(gone)}."
        if len(there) == 1:
            yield f"There is one class alone ({where}): no prediction can be wrong."


def _validation(splits: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    for name, table in splits.items():
        held = table[table["part"] == "validation"]["fraction"].nunique()
        if held == 1 < table["fraction"].nunique():
            where = "split by {}, {} labels".format(*name.split("-"))
            yield f"Choices at every fraction are made on the whole validation part ({where}): more labels."


def _runs(tables: Tables) -> Iterator[str]:
    scores = reported(tables.summary[tables.summary["metric"] == METRIC])
    if len(scores) and scores["runs"].max() == 1:
        yield "There is one seed, so there is no spread over splits; intervals are over proteins alone."
    blank = int(scores["low"].isna().sum())
    if blank:
        yield f"{blank:,} of {len(scores):,} scores have no interval: too few proteins were tested."
    short = tables.comparisons[tables.comparisons["missing"] > 0]
    if len(short):
        of = f"{len(short):,} of {len(tables.comparisons):,} comparisons"
        yield f"{of} lack runs of one side, which are left out."


def _strategies(names: Names) -> Iterator[str]:
    """Which channel strategies and scales say little about a backbone."""
    for backbone, of_backbone in names.same.items():
        for first, others in of_backbone.items():
            if others:
                same = f"{listed(others)} {'is' if len(others) == 1 else 'are'} the same as {listed([first])}"
                yield f"For {names.titles[backbone]} {same}: it was run once."
    for backbone, strategies in names.impossible.items():
        if strategies:
            yield f"{names.titles[backbone]} has too few inputs for {listed(strategies)}: not run."
    yield from (f"{line}." for line in names.far)


def _controls(tables: Tables, names: Names) -> Iterator[str]:
    """Each network that is not told apart from itself untrained: nothing that it learned shows."""
    by_route = {(row["backbone"], row["strategy"]): row for _, row in tables.frozen.iterrows()}
    backbones = {backbone for backbone, _ in by_route}
    for backbone in sorted(backbones - set(names.controls)):
        if names.untrained.get(backbone) not in backbones:
            yield f"{names.titles[backbone]} has no control: the same network untrained is not in the study."
    for (backbone, strategy), row in by_route.items():
        control = by_route.get((names.untrained.get(backbone), strategy))
        found = None if control is None else tables.difference(row, control)
        if found is not None and not (found.told_apart and found.value > 0):
            yield f"{names.route(row)} is not above the same network untrained ({found})."


def _labels(tables: Tables, names: Names) -> Iterator[str]:
    """What the labels make of the score: other annotations, clean labels alone, what labels allow."""
    best = chosen(tables, names)
    if best is None:
        return
    runs = like(reported(tables.metrics), best, *ROUTE, *SETTING)
    means = runs.groupby("metric")["value"].mean()
    if "any_annotated" in means:
        said = [
            f"Labels are incomplete: of {names.route(best)}, the likeliest class is annotated at some grade "
            f"for {means['any_annotated']:.0%} of the images."
        ]
        if "clean_macro_f1" in means:
            clean = means["clean_macro_f1"]
            said += [f"On proteins with one label and no weaker one macro F1 is {clean:.3f}."]
        if means["label_ceiling"] < 1:
            reader = "A reader who sees all annotated classes and not their grades would score"
            said += [f"{reader} {means['label_ceiling']:.3f}."]
        yield " ".join(said)


def _closeness(tables: Tables, names: Names) -> Iterator[str]:
    """How much of a score comes from knowing the proteins."""
    best = chosen(tables, names)
    if best is None or best["split_unit"] != "protein":
        return
    rows = reported(tables.summary)
    rows = rows[rows["metric"].eq(METRIC) & rows["split_unit"].eq("fov")]
    rows = like(rows, best, *ROUTE, "label_policy", "fraction")
    if len(rows):
        known = rows.iloc[0]["mean"]
        yield (
            f"On new fields of proteins that its probe knows, {names.route(best)} scores {known:.3f} "
            f"instead of {best['mean']:.3f}: a split by field also rewards recognizing the protein."
        )


def listed(names: Sequence[str]) -> str:
    """Names in a row, with a number for those beyond the first few."""
    words = [name.replace("_", " ") for name in names]
    more = [f"{len(words) - ALL_SHOWN} more"] if len(words) > ALL_SHOWN else []
    return ", ".join([*words[:ALL_SHOWN], *more])
