"""How much of the crop of each cell lies beyond its field, as a backbone was shown it."""

from __future__ import annotations

import pandas as pd

from protloc.cut import padded_fraction, side_px


def with_padding(labels: pd.DataFrame, cells: pd.DataFrame, crop_um: float) -> pd.DataFrame:
    """Rows of `cell_labels` with the column padded_fraction, 0 to 1, of crops of `crop_um`.

    `cells` is the table of that name.
    """
    scales = cells["pixel_size_um"].unique()  # one: find_cells refuses others
    shares = padded_fraction(cells, side_px(crop_um, scales[0])) if len(scales) else []
    by_cell = pd.Series(shares, index=cells["cell_id"], dtype=float)
    return labels.assign(padded_fraction=labels["cell_id"].map(by_cell))
