"""Which cells take part under a seed: as many of each protein, however many it has."""

from __future__ import annotations

import pandas as pd

from protloc.hashing import sha256_bytes


def draw(cells: pd.DataFrame, per_protein: int | None, seed: int) -> pd.DataFrame:
    """Up to `per_protein` rows of each gene, or all for None, sorted by cell_id.

    They are chosen by the digest of seed and cell_id, so whether a cell is drawn depends on its protein's
    cells alone, and a smaller draw lies inside a larger one.
    """
    if per_protein is not None:
        lots = [sha256_bytes(f"{seed} {name}".encode()) for name in cells["cell_id"]]
        cells = cells.assign(lot=lots).sort_values("lot").groupby("gene").head(per_protein)
        cells = cells.drop(columns="lot")
    return cells.sort_values("cell_id").reset_index(drop=True)
