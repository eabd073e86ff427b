"""What the chart of shortcuts shows: what vectors tell beside localization, and what scores gain by it."""

from __future__ import annotations

import pandas as pd

from protloc.choices import best_k, reported, with_validation

COLUMNS = ("panel", "task", "backbone", "strategy", "label_policy", "k", "apart")
VALUES = ("runs", "mean", "low", "high", "chance")
NEAREST = ("nearest_of_protein", "nearest_of_fov", "nearest_of_fov_in_protein")
PADDED = ("nearest_of_padded_is_padded", "nearest_of_unpadded_is_padded")
COUNTS = ("padded_cells", "unpadded_cells")  # behind each of PADDED
CHANCE = "_chance"
UNITS = ("protein", "fov", "cell")  # what is never on two sides: from the strictest on
KNN, BEFORE = "knn", "finetune_epoch_0"
POLICIES = ("single", "hand", "multi")


def shortcut_rows(metrics: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """The rows that are drawn, from the tables of these names: COLUMNS and VALUES.

    `panel` is one of NEAREST, PADDED or COUNTS, with the mean, least and largest value over seeds; or
    `macro_f1`, with the mean over seeds and the interval of summary, where it is known for two units of
    `apart` at least. Of cells at the k that is best on validation, of trained heads at the largest fraction;
    under the first of POLICIES that there is.
    """
    shown = pd.concat([_nearest(metrics), _scores(summary)], ignore_index=True)
    shown["k"] = shown["k"].astype("Int64")
    return shown.sort_values(list(COLUMNS), ignore_index=True)[[*COLUMNS, *VALUES]]


def _nearest(metrics: pd.DataFrame) -> pd.DataFrame:
    """Over seeds, how often the nearest neighbour names what it should not, and by chance."""
    cells = _of_first_policy(metrics[(metrics["task"] == KNN) & (metrics["subset"] == "test")])
    keys = ["task", "backbone", "strategy", "label_policy", "metric"]
    over_seeds = cells.groupby(keys)["value"].agg(runs="count", mean="mean", low="min", high="max")
    over_seeds = over_seeds.reset_index()
    rows = over_seeds[over_seeds["metric"].isin((*NEAREST, *PADDED, *COUNTS))]
    chance = over_seeds.assign(metric=over_seeds["metric"].str.removesuffix(CHANCE))
    chance = chance[over_seeds["metric"].str.endswith(CHANCE)].set_index(keys)["mean"]
    rows = rows.join(chance.rename("chance"), on=keys)
    return rows.rename(columns={"metric": "panel"}).assign(k=1, apart="cell")


def _scores(summary: pd.DataFrame) -> pd.DataFrame:
    """Macro F1 of each route and task that was split in more than one way."""
    scores = reported(with_validation(summary[summary["metric"] == "macro_f1"]))
    cells, fields = (scores[scores["level"] == level] for level in ("cell", "fov"))
    cells = _of_first_policy(cells[cells["task"] == KNN])
    strictest = next((unit for unit in UNITS if unit in set(cells["split_unit"])), None)
    cells = cells[cells["k"] == best_k(cells[cells["split_unit"] == strictest])]
    fields = fields[fields["task"] != BEFORE]  # scores as the probe does
    trained = _of_first_policy(fields[fields["fraction"] == fields["fraction"].max()])
    rows = pd.concat([trained, cells])
    several = rows.groupby(["task", "backbone", "strategy"])["split_unit"].transform("nunique") > 1
    rows = rows[several].rename(columns={"split_unit": "apart"})
    return rows.assign(panel="macro_f1", chance=float("nan"))


def _of_first_policy(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows under the first of POLICIES that they have."""
    present = set(rows["label_policy"])
    return rows[rows["label_policy"] == next((policy for policy in POLICIES if policy in present), None)]
