"""What people are shown of much: fields or cells over all classes, a number of neighbours; not by looks."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from protloc.hashing import sha256_bytes


def spread_over_classes(rows: pd.DataFrame, count: int, key: str = "fov_id", salt: str = "") -> pd.DataFrame:
    """Up to `count` of `rows`, which have the columns `key`, gene and label; sorted by label.

    One of each label first, then a second of each, of another protein if there is one; within a label by the
    digest of `salt` and key, so that the choice depends neither on the order of the rows nor on names. A
    larger `count` adds to what a smaller one chooses.
    """
    lots = rows.assign(lot=[sha256_bytes(f"{salt}{name}".encode()) for name in rows[key]]).sort_values("lot")
    lots["of_gene"] = lots.groupby("gene").cumcount()
    lots = lots.sort_values(["of_gene", "lot"])
    lots["of_label"] = lots.groupby("label").cumcount()
    chosen = lots.sort_values(["of_label", "lot"]).head(count)
    return chosen.sort_values(["label", "lot"])[rows.columns].reset_index(drop=True)


def middle(numbers: Iterable[int]) -> int | None:
    """The middle one of numbers of neighbours, the lower of two; None of none.

    Not the best one: to choose by the score would flatter it.
    """
    ordered = sorted(set(numbers))
    return ordered[(len(ordered) - 1) // 2] if ordered else None
