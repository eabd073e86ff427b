"""Which fields are shown: spread over classes and proteins, the same each time, and not by looks."""

from __future__ import annotations

import pandas as pd

from protloc.hashing import sha256_bytes


def spread_over_classes(fields: pd.DataFrame, count: int) -> pd.DataFrame:
    """Up to `count` rows of `fields`, which has the columns fov_id, gene and label; sorted by label.

    One of each label first, then a second of each, of another protein if there is one; within a label by the
    digest of the id, so that the choice depends neither on the order of the rows nor on names.
    """
    lots = fields.assign(lot=[sha256_bytes(name.encode()) for name in fields["fov_id"]]).sort_values("lot")
    lots["of_gene"] = lots.groupby("gene").cumcount()
    lots = lots.sort_values(["of_gene", "lot"])
    lots["of_label"] = lots.groupby("label").cumcount()
    chosen = lots.sort_values(["of_label", "lot"]).head(count)
    return chosen.sort_values(["label", "lot"])[fields.columns].reset_index(drop=True)
