"""What the panels of a chart of scores are called, and which of them the rows of a table fill."""

from __future__ import annotations

import pandas as pd

UNITS = {"protein": "New proteins (split by protein)", "fov": "New fields of known proteins (split by field)"}
POLICIES = {"single": "one label a protein", "multi": "several labels a protein"}
SETTING = ["split_unit", "label_policy"]


def units_and_policies(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The split units and the label policies of the table's rows, in the order of panels."""
    units, policies = (set(table[column]) for column in SETTING)
    return [unit for unit in UNITS if unit in units], [policy for policy in POLICIES if policy in policies]


def of_panel(table: pd.DataFrame, unit: str, policy: str) -> pd.DataFrame:
    """The table's rows of one panel."""
    return table[(table["split_unit"] == unit) & (table["label_policy"] == policy)]


def at_full(table: pd.DataFrame) -> pd.DataFrame:
    """The rows at the largest fraction of each split unit and label policy."""
    return table[table["fraction"] == table.groupby(SETTING)["fraction"].transform("max")]


def counted_seeds(runs: pd.Series) -> str:
    """How many seeds are behind means: `3 seeds`, `2 to 3 seeds`, `one seed`."""
    low, high = runs.min(), runs.max()
    if high == 1:
        return "one seed"
    return f"{high} seeds" if low == high else f"{low} to {high} seeds"


def amount(table: pd.DataFrame) -> str:
    """How much of the labelled training data was used, in words."""
    shares = (f"{100 * fraction:g} %" for fraction in sorted(table["fraction"].unique()))
    return f"{' and '.join(shares)} of the labelled training data"
