"""Whether vectors tell that a crop reaches beyond its field: what is filled in there is no biology."""

from __future__ import annotations

import pandas as pd


def padding(run: pd.DataFrame) -> dict[str, float]:
    """From the rows of `neighbours` of a run in which only the cell itself is apart.

    padded_cells, unpadded_cells: how many cells have a crop that reaches beyond the field, and how many do
    not. nearest_of_padded_is_padded, nearest_of_unpadded_is_padded: the share of each whose nearest cell has
    such a crop, 0 to 1, followed by `_chance`, what a random neighbour gives; only where there are both.
    """
    padded = run.set_index("cell_id")["padded_fraction"] > 0
    counts = {"padded_cells": float(padded.sum()), "unpadded_cells": float((~padded).sum())}
    if not all(counts.values()):
        return counts
    nearest = padded.loc[[ids[0] for ids in run["nearest"]]].to_numpy()
    of_padded, of_unpadded = nearest[padded], nearest[~padded]
    others = len(padded) - 1
    return counts | {
        "nearest_of_padded_is_padded": float(of_padded.mean()),
        "nearest_of_padded_is_padded_chance": (counts["padded_cells"] - 1) / others,
        "nearest_of_unpadded_is_padded": float(of_unpadded.mean()),
        "nearest_of_unpadded_is_padded_chance": counts["padded_cells"] / others,
    }
