"""What charts show of the scores of cells."""

from __future__ import annotations

import pandas as pd

from protloc.choices import CHOSEN_BY, reported, with_validation

VOTES = {"knn": "plain", "knn_weighted": "weighted"}
COLUMNS = ("backbone", "strategy", "label_policy", "apart", "k", "vote", "runs", "mean", "sd", "low", "high")
COLUMNS += (CHOSEN_BY,)


def scores_of_cells(summary: pd.DataFrame) -> pd.DataFrame:
    """What the figure shows of the table `summary`: macro F1 of cells, with the columns apart and vote."""
    shown = reported(
        with_validation(summary[summary["task"].isin(VOTES) & (summary["metric"] == "macro_f1")])
    )
    shown = shown.assign(apart=shown["split_unit"], vote=shown["task"].map(VOTES))
    return shown.sort_values(list(COLUMNS[:6]))[list(COLUMNS)].reset_index(drop=True)
