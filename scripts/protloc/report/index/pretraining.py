"""What a reader has to know of a network that was pretrained on images of the study, some of them tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from protloc.choices import reported
from protloc.report.index.study import ROUTE, SETTING, Names, Tables, like

SEEN, NOT_SEEN = "macro_f1_pretrained", "macro_f1_not_pretrained"
Splits = Mapping[str, pd.DataFrame]  # tables `splits` by `{split_unit}-{label_policy}`


def shares_seen(images: pd.DataFrame, split: pd.DataFrame) -> pd.Series:
    """The share of the fields tested under each seed that were seen in pretraining, 0 to 1, by seed.

    `images` is the table `pretraining_images`.
    """
    pretrained = images.loc[images["role"] == "pretrained", "fov_id"]
    tested = split[split["part"] == "test"]
    return tested["fov_id"].isin(pretrained).groupby(tested["seed"]).mean()


def transductive(images: pd.DataFrame, splits: Splits) -> list[tuple[str, ...]]:
    """Backbone, split unit and label policy wherever an image that is tested was seen in pretraining."""
    return [
        (backbone, *name.split("-"))
        for backbone, of_it in images.groupby("backbone")
        for name, split in splits.items()
        if shares_seen(of_it, split).any()
    ]


def seen_in_pretraining(tables: Tables, names: Names, images: pd.DataFrame, splits: Splits) -> Iterator[str]:
    """Sentences on how many tested images were seen, and whether scores on these are higher."""
    for backbone, of_it in images.groupby("backbone"):
        shares = {name: shares_seen(of_it, split) for name, split in splits.items()}
        said = [_said(name, of_split) for name, of_split in shares.items() if of_split.any()]
        if said:
            yield (
                f"{names.titles[backbone]} was pretrained, without labels, on test fields too: "
                f"{', '.join(said)}. Its scores are transductive, unlike those of networks trained elsewhere."
            )
        yield from _inside_and_outside(tables, names, backbone)


def _said(name: str, shares: pd.Series) -> str:
    """The share of a split's test fields that were seen: one percentage, or the smallest and largest."""
    low, high = f"{shares.min():.0%}", f"{shares.max():.0%}"
    unit, policy = name.split("-")
    return f"{low if low == high else f'{low} to {high}'} (split by {unit}, {policy} labels)"


def _inside_and_outside(tables: Tables, names: Names, backbone: str) -> Iterator[str]:
    """The two scores of its best frozen route, and of the same network untrained."""
    own = tables.frozen[tables.frozen["backbone"] == backbone][:1]
    control = tables.frozen[tables.frozen["backbone"] == names.untrained.get(backbone)]
    for _, row in own.iterrows():
        if found := _scores(tables, row):
            beside = [_scores(tables, other) for _, other in like(control, row, "strategy").iterrows()]
            yield (
                f"{names.route(row)}: macro F1 {found} of the images of its pretraining"
                f"{f'; the same network untrained: {beside[0]}' if beside else ''}. The mean is over "
                "classes that are tested on both sides."
            )


def _scores(tables: Tables, row: pd.Series) -> str | None:
    """Both scores on the runs of a row of `summary`, mean over seeds, in words."""
    runs = like(reported(tables.metrics), row, *ROUTE, *SETTING)
    means = runs.groupby("metric")["value"].mean()
    return f"{means[SEEN]:.3f} inside, {means[NOT_SEEN]:.3f} outside" if SEEN in means else None
