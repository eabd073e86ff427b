"""What the label policies of cells are called, and which of them a figure shows that has room for one."""

from __future__ import annotations

import pandas as pd

POLICIES = {"single": "labels of proteins", "hand": "labels by hand"}


def of_first_policy(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a `table` with the column label_policy under the first of POLICIES that it has.

    Labels of proteins go first: more cells have them.
    """
    present = set(table["label_policy"])
    first = next((policy for policy in POLICIES if policy in present), None)
    return table[table["label_policy"] == first]
