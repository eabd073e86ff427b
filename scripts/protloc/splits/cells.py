"""A split of cells: each is in the part that its field is in."""

from __future__ import annotations

import logging

import pandas as pd

from protloc.draw import draw
from protloc.errors import InputError
from protloc.leakage import check_no_leak
from protloc.policies import HAND

OF_FIELDS = ["fov_id", "part", "fraction", "shots", "masked", "annotated", "clean"]


def split_cells(
    split: pd.DataFrame, labels: pd.DataFrame, *, unit: str, policy: str, per_protein: int | None
) -> pd.DataFrame:
    """Rows of the table `splits` for the cells of a label policy, `single` or `hand`.

    `split` is that of the fields by `unit`, `labels` are the rows of `cell_labels` of the `policy`. A cell
    has the part, the fraction and the shots of its field, so also those of its protein where proteins are
    split. Under each seed up to `per_protein` cells of each protein are drawn. Cells of fields that are not
    split, and of classes that cannot be both learned and tested, are left out and counted in the log. Raises
    InputError where no split is left.
    """
    cells = labels[labels["fov_id"].isin(split["fov_id"])]
    logging.info("%s labels: %d of %d cells lie in fields that are split", policy, len(cells), len(labels))
    parts = []
    for seed, of_seed in split.groupby("seed"):
        drawn = draw(cells, per_protein, int(seed))
        rows = drawn.merge(of_seed[OF_FIELDS], on="fov_id", validate="many_to_one")
        parts.append(
            rows.assign(seed=seed, image_id=rows["cell_id"], labels=[[name] for name in rows["label"]])
        )
    found = _learnable(pd.concat(parts, ignore_index=True), policy)
    if policy == HAND:  # what a person saw in the cell itself, whatever else its protein does
        found = found.assign(masked=[[]] * len(found), annotated=found["labels"], clean=True)
    check_no_leak(found, unit, f"split of cells by {unit}")
    return found.drop(columns=["cell_id", "label", "label_policy"])


def _learnable(cells: pd.DataFrame, policy: str) -> pd.DataFrame:
    """The cells of classes that are in the training and in the test part under every seed.

    Raises InputError if fewer than two classes are, or a seed has no cell to choose on.
    """
    parts = cells.groupby(["label", "seed"])["part"].agg(lambda of: {"train", "test"} <= set(of))
    whole = parts.unstack(fill_value=False).all(axis=1)
    if not whole.all():
        listed = ", ".join(whole.index[~whole])
        logging.warning(
            "%s labels: classes not in training and test of every seed left out: %s", policy, listed
        )
    found = cells[cells["label"].isin(whole.index[whole])].reset_index(drop=True)
    if whole.sum() < 2 or set(found.loc[found["part"] == "validation", "seed"]) < set(cells["seed"]):
        raise InputError(
            f"no split of cells is possible under {policy} labels: {whole.sum()} classes can be learned and "
            f"tested where two are needed, or a seed has none for validation; label more cells, or set "
            f"cells.probe to false"
        )
    return found
