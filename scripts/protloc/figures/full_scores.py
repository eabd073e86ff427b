"""Macro F1 with all of the labelled data."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from protloc.choices import CHOSEN_BY, reported, with_validation
from protloc.figures.panels import at_full

COLUMNS = ["split_unit", "label_policy", "fraction", "backbone", "strategy", "control"]
COLUMNS += ["runs", "mean", "sd", "low", "high", CHOSEN_BY]


def full_scores(summary: pd.DataFrame, task: str, controls: Collection[str]) -> pd.DataFrame:
    """What figures show of the table `summary`: macro F1 of `task` at the largest fraction."""
    of_task = summary[(summary["metric"] == "macro_f1") & (summary["task"] == task)]
    shown = at_full(reported(with_validation(of_task)))
    shown = shown.assign(control=shown["backbone"].isin(controls))
    return shown.sort_values(COLUMNS[:5])[COLUMNS].reset_index(drop=True)
