"""A split as a table: the part of every field under each seed, and which fractions and shots hold it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from protloc.errors import InputError
from protloc.indicators import indicators
from protloc.leakage import GROUPS, check_no_leak
from protloc.splits.shots import draw_shots
from protloc.splits.stratify import nest, stratify

PARTS = ("train", "validation", "test")
STREAMS = {"train": (), "validation": (3,)}  # of random numbers; `nest` appends 1 and 2
SHOTS = 4
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
    whole_validation: bool = False,
    shots: Sequence[int] = (),
    annotations: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Rows of the `splits` table: the same for every backbone, so that comparisons are paired.

    `labels` are those that a policy keeps, by gene; `annotations` are as `policies` makes them, without them
    proteins have no other localizations. Fractions are nested: a smaller one lies inside a larger.
    So are few-shot draws of `shots` units of a class. Validation shrinks with both, by draws like those for
    training: to the same fraction, or to as many units of a class; unless it is to be whole. Raises
    InputError where no split is possible: fewer than two classes, one that cannot be both learned and tested,
    or an empty part.
    """
    fields = fovs.loc[(fovs["status"] == "ok") & fovs["gene"].isin(labels.keys()), ["fov_id", "gene"]]
    units = fields.sort_values("fov_id").assign(unit=fields[GROUPS[unit]]).drop_duplicates("unit")
    indicator = _indicator([labels[gene] for gene in units["gene"]], unit)
    shares = (1 - test_share - validation_share, validation_share, test_share)
    if whole_validation:
        logging.warning("choices are made on the whole validation part, whatever the fraction or shots")
    splits = []
    for seed in seeds:
        part = np.take(PARTS, stratify(indicator, shares, [seed, 0]))
        held = _held(indicator, part, fractions, shots, seed, whole_validation)
        for name in STREAMS:
            _report(held["fraction"][part == name], fractions, seed, unit, name)
        training = part == "train"
        _report_shots(indicator[training], held["shots"][training], shots, seed, unit)
        place = pd.Index(units["unit"]).get_indexer(fields[GROUPS[unit]])
        of_fields = {name: of_units[place] for name, of_units in held.items()}
        splits.append(fields.assign(part=part[place], seed=seed, image_id=fields["fov_id"], **of_fields))
    split = pd.concat(splits, ignore_index=True).astype({"shots": "Int64"})
    split["labels"] = split["gene"].map(labels)
    split = split.join(_no_others(labels) if annotations is None else annotations, on="gene")
    check_no_leak(split, unit, f"split by {unit}")
    _check_parts(split, unit)
    return split


def _no_others(labels: dict[str, list[str]]) -> pd.DataFrame:
    """The annotations of proteins that have no localizations but their labels."""
    rows = {gene: ([], of_one, len(of_one) == 1) for gene, of_one in labels.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["masked", "annotated", "clean"])


def _indicator(unit_labels: Sequence[Sequence[str]], unit: str) -> np.ndarray:
    """Which unit has which class: bool (units, classes)."""
    classes = {label for of_one in unit_labels for label in of_one}
    if len(classes) < 2:
        raise InputError(
            f"no split by {unit} is possible: {len(classes)} of the classes have enough proteins with images "
            f"where two are needed; add images or lower splits.min_proteins"
        )
    return indicators(unit_labels, sorted(classes))


def _held(
    indicator: np.ndarray,
    part: np.ndarray,
    fractions: Sequence[float],
    shots: Sequence[int],
    seed: int,
    whole_validation: bool,
) -> dict[str, np.ndarray]:
    """The smallest fraction and number of shots that hold each unit, float64 (units,); NaN: none."""
    held = {name: np.full(len(part), np.nan) for name in ("fraction", "shots")}
    for name, stream in STREAMS.items():
        rows = np.flatnonzero(part == name)
        if name == "validation" and whole_validation:
            held["fraction"][rows], held["shots"][rows] = min(fractions), min(shots, default=np.nan)
        elif len(rows):
            held["fraction"][rows] = nest(indicator[rows], fractions, [seed, *stream])
            held["shots"][rows] = draw_shots(indicator[rows], shots, [seed, *stream, SHOTS])
    return held


def _report(held: np.ndarray, fractions: Sequence[float], seed: int, unit: str, part: str) -> None:
    """Log how large each fraction of a part came out: units are whole, and one of each class is kept."""
    sizes = {fraction: int(np.sum(held <= fraction)) for fraction in sorted(fractions)}
    listed = ", ".join(f"{fraction:g}: {size}" for fraction, size in sizes.items())
    logging.info("seed %d: %d %s %ss; in fraction %s", seed, len(held), part, unit, listed)
    over = [f"{share:g}" for share, size in sizes.items() if size > EXCESS * share * len(held)]
    if over:
        words = "%s: fraction %s holds more, or no %s of some class would be left"
        logging.warning(words, part, ", ".join(over), unit)


def _report_shots(
    indicator: np.ndarray, held: np.ndarray, shots: Sequence[int], seed: int, unit: str
) -> None:
    """Log how many units of a class each few-shot draw of a part has, and how many classes fall short."""
    for count in sorted(shots):
        inside = indicator[held <= count].sum(axis=0)
        words = "seed %d: %d shots: %d to %d training %ss of a class; %d of %d classes have fewer"
        short = int((inside < count).sum())
        logging.info(words, seed, count, inside.min(), inside.max(), unit, short, len(inside))


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
