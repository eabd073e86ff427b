"""Which heads fall behind a linear one: more weights that were fitted worse say nothing of a backbone."""

from __future__ import annotations

import logging

import pandas as pd

LINEAR, DEEP = ("logistic", "linear"), ("mlp", "wide")
SETTING = ["level", "backbone", "strategy", "scale", "split_unit", "label_policy", "fraction"]


def behind(summary: pd.DataFrame, metric: str = "macro_f1") -> pd.DataFrame:
    """Rows of `summary` of heads with hidden layers that are below a linear head by more than the spread.

    Beside them `linear` and `linear_mean`, the best linear head of the setting. The spread is the standard
    deviation over seeds, the larger of both heads.
    """
    scores = summary[(summary["metric"] == metric) & summary["mean"].notna()]
    linear = scores[scores["task"].isin(LINEAR)].sort_values("mean").groupby(SETTING).last()
    linear = linear[["task", "mean", "sd"]].rename(columns=lambda name: f"linear_{name}")
    deep = scores[scores["task"].isin(DEEP)].join(linear, on=SETTING, how="inner")
    spread = deep[["sd", "linear_sd"]].max(axis=1).fillna(0)
    found = deep[deep["linear_mean"] - deep["mean"] > spread].rename(columns={"linear_task": "linear"})
    return found[[*SETTING, "task", "mean", "linear", "linear_mean"]].reset_index(drop=True)


def report_behind(summary: pd.DataFrame) -> None:
    """Log a line for each of them."""
    for row in behind(summary).itertuples():
        logging.warning(
            "%s/%s at scale %g, split by %s, %s labels, fraction %g: %s is below %s by more than the spread "
            "over seeds, macro F1 %.3f and %.3f: fitted too little or too much, it says less of the backbone",
            *(row.backbone, row.strategy, row.scale, row.split_unit, row.label_policy, row.fraction),
            *(row.task, row.linear, row.mean, row.linear_mean),
        )
