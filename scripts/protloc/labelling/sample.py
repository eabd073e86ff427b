"""Which cells a person is asked about, and in which order."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from protloc.choose import spread_over_classes
from protloc.hashing import sha256_bytes


def choose_cells(
    cells: pd.DataFrame, proteins: pd.DataFrame, count: int, seed: int, answered: Collection[str] = ()
) -> pd.DataFrame:
    """Rows of `cells`: those `answered`, and kept ones up to `count`, in an order that hints at nothing.

    As many of each class as can be, of as many proteins as can be. What counts as a class is what a protein
    is: its one grade-3 localization, `several` or `none`. Another `seed` chooses others; a larger `count`
    keeps those of a smaller one.
    """
    told = cells["cell_id"].isin(answered)
    graded = dict(zip(proteins["gene"], proteins["grade_3"], strict=True))
    rest = cells[cells["kept"] & ~told]
    rest = rest.assign(label=[_stratum(graded.get(gene, ())) for gene in rest["gene"]])
    chosen = spread_over_classes(rest, max(0, count - int(told.sum())), "cell_id", f"{seed}:")
    shown = cells[told | cells["cell_id"].isin(chosen["cell_id"])]
    # Not the digests that chose: among the chosen, they are smaller where a protein has more cells.
    order = [sha256_bytes(f"order of {seed}:{cell}".encode()) for cell in shown["cell_id"]]
    return shown.assign(order=order).sort_values("order")[cells.columns].reset_index(drop=True)


def _stratum(grade_3: Collection[str]) -> str:
    return " ".join(grade_3) if len(grade_3) == 1 else "several" if len(grade_3) else "none"
