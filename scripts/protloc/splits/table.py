"""A split as a table: for each seed, the part of every field and the smallest fraction that holds it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.preprocessing import MultiLabelBinarizer

from protloc.errors import InputError
from protloc.leakage import GROUPS, check_no_leak
from protloc.splits.stratify import nest, stratify

PARTS = ("train", "validation", "test")
EXCESS = 1.5  # a fraction larger than it should be by this factor is reported


def make_split(
    fovs: pd.DataFrame,
    labels: dict[str, list[str]],
    *,
    unit: str,
    seeds: Sequence[int],
    fractions: Sequence[float],
    test_share: float,
    validation_share: float,
) -> pd.DataFrame:
    """Rows of the `splits` table: the same for every backbone, so that comparisons are paired.

    `labels` are those that a policy keeps, by gene. Fractions are nested: a smaller one lies inside a larger.
    Raises InputError where no split is possible: fewer than two classes, one that cannot be both learned and
    tested, or an empty part.
    """
    fields = fovs.loc[(fovs["status"] == "ok") & fovs["gene"].isin(labels.keys()), ["fov_id", "gene"]]
    units = fields.sort_values("fov_id").assign(unit=fields[GROUPS[unit]]).drop_duplicates("unit")
    indicator = _indicator([labels[gene] for gene in units["gene"]], unit)
    shares = (1 - test_share - validation_share, validation_share, test_share)
    splits = []
    for seed in seeds:
        part = stratify(indicator, shares, [seed, 0])
        training = np.flatnonzero(part == PARTS.index("train"))
        fraction = np.full(len(units), np.nan)
        fraction[training] = nest(indicator[training], fractions, seed)
        _report(fraction[training], fractions, seed, unit)
        place = pd.Index(units["unit"]).get_indexer(fields[GROUPS[unit]])
        splits.append(fields.assign(part=np.take(PARTS, part[place]), fraction=fraction[place], seed=seed))
    split = pd.concat(splits, ignore_index=True)
    split["labels"] = split["gene"].map(labels)
    check_no_leak(split, unit, f"split by {unit}")
    _check_parts(split, unit)
    return split


def _indicator(unit_labels: Sequence[Sequence[str]], unit: str) -> np.ndarray:
    """Which unit has which class: bool (units, classes)."""
    classes = {label for of_one in unit_labels for label in of_one}
    if len(classes) < 2:
        raise InputError(
            f"no split by {unit} is possible: {len(classes)} of the classes have enough proteins with images "
            f"where two are needed; add images or lower splits.min_proteins"
        )
    return MultiLabelBinarizer().fit_transform(unit_labels).astype(bool)


def _report(smallest: np.ndarray, fractions: Sequence[float], seed: int, unit: str) -> None:
    """Log how large each fraction came out: units are whole, and one of each class is kept."""
    sizes = {fraction: int(np.sum(smallest <= fraction)) for fraction in sorted(fractions)}
    listed = ", ".join(f"{fraction:g}: {size}" for fraction, size in sizes.items())
    logging.info("seed %d: %d training %ss; in fraction %s", seed, len(smallest), unit, listed)
    over = [f"{share:g}" for share, size in sizes.items() if size > EXCESS * share * len(smallest)]
    if over:
        logging.warning("fraction %s holds more, or no %s of some class would be left", ", ".join(over), unit)


def _check_parts(split: pd.DataFrame, unit: str) -> None:
    """Refuse a split in which a class cannot be learned or tested, or no choice can be made."""
    exploded = split.explode("labels")
    for (seed, label), parts in exploded.groupby(["seed", "labels"])["part"].agg(set).items():
        if not {"train", "test"} <= parts:
            raise InputError(
                f"no split by {unit} is possible under seed {seed}: class {label} is only in "
                f"{', '.join(sorted(parts))}; add images or raise splits.min_proteins"
            )
    for seed, parts in split.groupby("seed")["part"].agg(set).items():
        if "validation" not in parts:
            raise InputError(
                f"no split by {unit} is possible under seed {seed}: no field is left for validation; add "
                f"images or raise splits.validation_share"
            )
