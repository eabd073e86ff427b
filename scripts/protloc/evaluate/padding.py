"""Whether vectors tell that a crop reaches beyond its field: what is filled in there is no biology."""

from __future__ import annotations

import pandas as pd


def padding(run: pd.DataFrame, queries: pd.DataFrame) -> dict[str, float]:
    """Of `queries` among rows of `neighbours` of a run where only the cell itself is apart.

    padded_cells, unpadded_cells: how many cells have a crop that reaches beyond the field, and how many do
    not. nearest_of_padded_is_padded, nearest_of_unpadded_is_padded: the share of each whose nearest cell has
    such a crop, 0 to 1, followed by `_chance`, what a random neighbour gives; only where there are both.
    """
    padded = run.set_index("cell_id")["padded_fraction"] > 0
    own = padded.loc[queries["cell_id"]].to_numpy()
    counts = {"padded_cells": float(own.sum()), "unpadded_cells": float((~own).sum())}
    if not all(counts.values()):
        return counts
    nearest = padded.loc[[ids[0] for ids in queries["nearest"]]].to_numpy()
    all_padded, others = int(padded.sum()), len(padded) - 1
    return counts | {
        "nearest_of_padded_is_padded": float(nearest[own].mean()),
        "nearest_of_padded_is_padded_chance": (all_padded - 1) / others,
        "nearest_of_unpadded_is_padded": float(nearest[~own].mean()),
        "nearest_of_unpadded_is_padded_chance": all_padded / others,
    }
