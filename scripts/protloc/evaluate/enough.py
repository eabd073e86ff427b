"""How much labelled data is enough."""

from __future__ import annotations

import pandas as pd

from protloc.tables import TABLES

OF = list(TABLES["enough"].key)


def enough(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows of `enough`: the smallest fraction whose interval reaches the score of the full data, by route.

    Few-shot runs are another design and do not count.
    """
    rows = []
    fractions = summary[summary["k"].isna() & (summary["shots"] == 0) & (summary["subset"] == "test")]
    for names, at in fractions.sort_values("fraction").groupby(OF):
        full = at.loc[at["fraction"] == 1, "mean"]
        reach = at[at["high"] >= full.iloc[0]] if len(full) else at.iloc[:0]
        first = reach.iloc[0] if len(reach) else dict.fromkeys(("fraction", "mean", "low", "high"))
        found = {name: first[name] for name in ("fraction", "mean", "low", "high")}
        found |= {"fractions": len(at), "full": full.iloc[0] if len(full) else None}
        rows.append(dict(zip(OF, names, strict=True)) | found)
    return pd.DataFrame(rows, columns=[column.name for column in TABLES["enough"].columns])
