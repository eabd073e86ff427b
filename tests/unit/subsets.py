"""What rows of scores and predictions have in common in made-up studies: subsets, designs, amounts."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

AMOUNTS = ("groups_trained", "images_trained", "labels_trained")


def in_both_subsets(
    rows: pd.DataFrame, validation: Callable[[pd.Series], pd.Series] = lambda means: means
) -> pd.DataFrame:
    """Rows of `summary` in test and in validation, where the means are what `validation` makes of them.

    A fraction has 60 proteins at most; there are no few-shot runs unless `rows` has them.
    """
    if "shots" not in rows:
        rows = rows.assign(shots=0)
    amounts = {name: (factor * rows["fraction"]) for name, factor in zip(AMOUNTS, (60, 240, 80), strict=True)}
    rows = rows.assign(**{name: of for name, of in amounts.items() if name not in rows})
    chosen_on = rows.assign(subset="validation", mean=validation(rows["mean"]))
    return pd.concat([rows.assign(subset="test"), chosen_on], ignore_index=True)


def as_predictions(rows: pd.DataFrame, subset: str = "test") -> pd.DataFrame:
    """Rows of `predictions` with the columns that they lack: of fields, no few-shot, no other annotations."""
    given = {"shots": 0, "subset": subset, "image_id": rows["fov_id"], "annotated": rows["truth"]}
    given |= {"masked": [[]] * len(rows), "clean": rows["truth"].map(len) == 1}
    given |= dict.fromkeys(AMOUNTS, 10)
    return rows.assign(**{name: of for name, of in given.items() if name not in rows})
