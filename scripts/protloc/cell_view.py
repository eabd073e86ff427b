"""A cell as a network is shown it: the middle of its stored crop, at a backbone's own width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from protloc.crops import Crops
from protloc.cut import side_px

Padding = Literal["background", "zero"]


@dataclass(frozen=True)
class StoredCell:
    """Where a cell lies: its row in the store, the corner of its stored crop and its field's size, px.

    background: counts of the nucleus and the protein channel where the field has no light.
    """

    row: int
    top: int
    left: int
    field_height: int
    field_width: int
    background: tuple[int, int]


def stored_cells(cells: pd.DataFrame) -> list[StoredCell]:
    """The rows of the table `cells`, in their order."""
    columns = ["row", "top", "left", "field_height", "field_width"]
    columns += ["background_nucleus", "background_protein"]
    rows = cells[columns].itertuples(index=False, name=None)
    return [StoredCell(*row[:-2], background=row[-2:]) for row in rows]


def crops_of_width(crops: Crops, cells: pd.DataFrame, crop_um: float) -> Crops:
    """The store with crops of `crop_um`, as people are shown them; `cells` is the table that lists it."""
    return crops.of_side(side_px(crop_um, cells["pixel_size_um"].iloc[0])) if len(cells) else crops


def read_cell(
    crops: Crops, cell: StoredCell, side: int, *, mask_others: bool, padding: Padding
) -> np.ndarray:
    """The counts of a cell's crop of `side` px, the middle of the stored one: uint16 (2, side, side).

    With `mask_others`, what belongs to other cells is at the background of each channel. What lies beyond the
    field is so too, or 0 with the padding `zero`. Raises InputError if the store holds smaller crops.
    """
    shown = crops.of_side(side)
    counts = shown.read([cell.row])[0]  # stored with the background beyond the field
    if mask_others:
        others = shown.masks([cell.row], "others")
        counts = np.where(others, np.array(cell.background, np.uint16)[:, None, None], counts)
    if padding == "zero":
        counts[:, beyond_field(crops, cell, side)] = 0
    return counts


def beyond_field(crops: Crops, cell: StoredCell, side: int) -> np.ndarray:
    """Which pixels of a crop of `side` px lie beyond the cell's field, bool (side, side)."""
    places = np.arange(side) + (crops.stored - side) // 2
    outside = [
        (first + places < 0) | (first + places >= size)
        for first, size in ((cell.top, cell.field_height), (cell.left, cell.field_width))
    ]
    return outside[0][:, None] | outside[1]
