"""Which cells a UMAP shows, and where they lie on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from protloc.choose import spread_over_classes
from protloc.errors import InputError
from protloc.figures.cell_policies import of_first_policy
from protloc.figures.projection import project, too_few
from protloc.figures.style import COLOURS

COLUMNS = ["cell_id", "fov_id", "gene", "label"]
PROTEINS = len(COLOURS)  # that are shown: as many as have a colour of their own
OF_PROTEIN = 50  # of whose cells so many are wanted, to see fields apart


def cells_to_map(cells: pd.DataFrame, labels: pd.DataFrame, count: int) -> pd.DataFrame:
    """Up to `count` kept cells by id, spread over proteins: cell_id, fov_id, gene, label, shown.

    `cells` and `labels` are the tables cells and cell_labels. `shown` marks the cells of some proteins, of
    different classes where there are any, of which there are more cells than of others. A cell without a
    label has an empty one.
    """
    policy = of_first_policy(labels)
    names = dict(zip(policy["cell_id"], policy["label"], strict=True))
    kept = cells[cells["kept"]]
    kept = kept.assign(label=[names.get(name, "") for name in kept["cell_id"]])
    proteins = kept.sort_values("label", ascending=False).drop_duplicates("gene")
    labelled = proteins[proteins["label"] != ""]
    shown = spread_over_classes(labelled if len(labelled) else proteins, PROTEINS, key="gene")["gene"]
    kept = kept.assign(shown=kept["gene"].isin(shown))
    first = _spread(kept[kept["shown"]], min(PROTEINS * OF_PROTEIN, count // 2))
    chosen = {*first, *_spread(kept[~kept["shown"]], count - len(first))}
    return kept[kept["cell_id"].isin(chosen)].sort_values("cell_id")[[*COLUMNS, "shown"]]


def _spread(cells: pd.DataFrame, count: int) -> list[str]:
    """Ids of up to `count` cells, as many of each protein as far as there are."""
    return spread_over_classes(cells.assign(label=cells["gene"]), count, key="cell_id")["cell_id"].to_list()


def add_places(cells: pd.DataFrame, ids: Sequence[str], vectors: np.ndarray, name: str) -> pd.DataFrame:
    """`cells` with their places x and y on a UMAP of their `vectors`; empty where there can be none.

    That is for too few cells, or vectors that are all alike. Raises InputError, naming the embedding file
    `name`, for a cell without a vector or with one of zeros.
    """
    rows = pd.Index(ids).get_indexer(cells["cell_id"])
    mine = vectors[rows]
    bad = (rows < 0) | ~mine.any(axis=1)
    if bad.any():
        cell = cells["cell_id"].to_numpy()[bad.argmax()]
        raise InputError(f"{name}: {cell} has no vector, or one of zeros; run again with --forcerun cells")
    alike = too_few(len(mine)) or not np.ptp(mine, axis=0).any()
    places = np.full((len(mine), 2), np.nan) if alike else project(mine)
    return cells.assign(x=places[:, 0], y=places[:, 1])
