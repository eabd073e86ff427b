"""The data dictionary: every column of every table, from the schemas that are checked at each write."""

from __future__ import annotations

import pandas as pd

from protloc.tables import TABLES


def dictionary() -> pd.DataFrame:
    """A row per column of a table: table, its row in words, column, type, key, may_be_empty, meaning."""
    rows = [
        {
            "table": name,
            "row": table.row,
            "column": column.name,
            "type": str(column.type),
            "key": column.name in table.key,
            "may_be_empty": column.nullable,
            "meaning": column.meaning,
        }
        for name, table in TABLES.items()
        for column in table.columns
    ]
    return pd.DataFrame(rows)
