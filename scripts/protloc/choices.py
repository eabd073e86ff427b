"""What a study chooses (backbone, strategy, head, scale, k): on validation, and reports of it the test part.

With several seeds a protein may be in validation under one and in test under another: choices are made on the
mean over seeds, as reports are.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from protloc.choose import middle
from protloc.tables import TABLES

NAMES = ("task", "backbone", "strategy", "scale", "k")  # what is chosen among; ties go by them
CHOSEN_BY = "validation"  # a column: the mean of the same metric on the validation part


def reported(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `metrics`, `summary` or `comparisons` that reports are about: tested, and not few-shot."""
    rows = table[table["shots"] == 0]
    return rows[rows["subset"] == "test"] if "subset" in rows else rows


def with_validation(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows of `summary` of the test part, with the mean on validation as the column CHOSEN_BY.

    It is NaN where there is no validation part.
    """
    key = [name for name in TABLES["summary"].key if name in summary and name != "subset"]
    validation = summary.loc[summary["subset"] == "validation", [*key, "mean"]]
    validation = validation.rename(columns={"mean": CHOSEN_BY})
    return summary[summary["subset"] == "test"].merge(validation, how="left", on=key, validate="one_to_one")


def ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of `with_validation`, the best on validation first; of equals the first by name.

    Only where no row has a validation part the scores that are reported decide; `is_chosen` says so.
    """
    by = CHOSEN_BY if is_chosen(rows) else "mean"
    names = [name for name in NAMES if name in rows]
    return rows.sort_values([by, *names], ascending=[False] + [True] * len(names), kind="stable")


def is_chosen(rows: pd.DataFrame) -> bool:
    """Whether there is a validation part to rank `rows` by."""
    return bool(rows[CHOSEN_BY].notna().any())


def best_k(rows: pd.DataFrame) -> int | None:
    """The number of neighbours with the highest mean on validation over all `rows` of `with_validation`.

    The smallest of equals; without a validation part the middle one of those tried, and None of none.
    """
    means = rows.groupby("k")[CHOSEN_BY].mean().dropna()
    return int(means.idxmax()) if len(means) else middle(rows["k"])


def validation_proteins(splits: Mapping[tuple[str, str], pd.DataFrame]) -> set[str]:
    """The proteins on which k and backbones of cells are chosen; none if nothing is split by protein.

    Those of the validation part of the first seed, of one label a protein where there is that, of `splits` by
    split unit and label policy: no protein is both chosen on and reported.
    """
    for policy in ("single", "multi"):
        if (split := splits.get(("protein", policy))) is not None:
            first = split[split["seed"] == split["seed"].min()]
            return set(first.loc[first["part"] == "validation", "gene"])
    return set()
