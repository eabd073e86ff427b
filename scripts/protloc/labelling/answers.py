"""What a person said of cells: a CSV file with the columns cell_id and label, checked."""

from __future__ import annotations

import csv
import logging
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pandas as pd

from protloc.errors import InputError

COLUMNS = ("cell_id", "label")
PLACE = ("y_um", "x_um")  # columns that the page adds: where the cell lay when it was labelled
UNSURE = "unsure"
MOVED_UM = 3.0  # half the radius of a small nucleus: another segmentation moves a cell less, a mix-up more
Line = tuple[int, dict[str, str]]


def read_answers(path: Path, cells: pd.DataFrame, classes: Collection[str]) -> dict[str, str]:
    """The class of each labelled cell, or `unsure`, by cell_id in the file's order; an empty label is none.

    `cells` is the table of that name. A cell's number changes with the segmentation: where the file has the
    columns y_um and x_um, the cell must still lie there, within 3 µm. Raises InputError, with file and line,
    for a missing column, a cell that the study lacks or that has moved, a label that is no class, a cell with
    two labels, and a file that labels nothing.
    """
    lines = list(_lines(path))
    _check_cells(path, lines, cells)
    answers: dict[str, str] = {}
    for number, row in lines:
        cell, label = row["cell_id"], row["label"]
        if label not in {"", UNSURE, *classes}:
            allowed = ", ".join([*classes, UNSURE])
            raise InputError(f"{path}: line {number}: label: {label} is no class; allowed: {allowed}")
        if label and answers.setdefault(cell, label) != label:
            raise InputError(
                f"{path}: line {number}: label: {cell} is {label} here and {answers[cell]} above; keep one"
            )
    empty = sum(not row["label"] for _, row in lines)
    logging.info("%s: %d of %d lines have no label yet", path, empty, len(lines))
    if not answers:
        raise InputError(f"{path}: label: no cell has one; label some, or leave cells.labels out")
    return answers


def _lines(path: Path) -> Iterator[Line]:
    """Each row with its line number, values stripped."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise InputError(f"{path}: column {missing[0]} is missing; expected cell_id,label")
            for row in reader:
                if None in row or None in row.values():
                    raise InputError(f"{path}: line {reader.line_num}: has not as many values as columns")
                yield reader.line_num, {column: value.strip() for column, value in row.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable file of labels ({error})") from error


def _check_cells(path: Path, lines: Iterable[Line], cells: pd.DataFrame) -> None:
    """Refuse cells that the study lacks, and those that are not where they were when they were labelled."""
    places = dict(zip(cells["cell_id"], zip(cells["y_um"], cells["x_um"], strict=True), strict=True))
    unknown = [(number, row["cell_id"]) for number, row in lines if row["cell_id"] not in places]
    if unknown:
        number, cell = unknown[0]
        raise InputError(
            f"{path}: line {number}: cell_id: {cell or 'an empty one'} is not in cells.parquet "
            f"({len(unknown)} such lines); give labels of this study, made with the same settings of cells"
        )
    moved = [(number, row["cell_id"]) for number, row in lines if _moved(path, number, row, places)]
    if moved:
        number, cell = moved[0]
        raise InputError(
            f"{path}: line {number}: y_um, x_um: {cell} lies elsewhere in cells.parquet ({len(moved)} such "
            "lines): nuclei were found in another way when it was labelled; label the cells again"
        )


def _moved(path: Path, number: int, row: dict[str, str], places: dict[str, tuple[float, float]]) -> bool:
    """Whether the cell lies farther than MOVED_UM from where the row says; no, where it does not say."""
    if not all(row.get(column) for column in PLACE):
        return False
    try:
        then = [float(row[column]) for column in PLACE]
    except ValueError as error:
        raise InputError(f"{path}: line {number}: y_um, x_um: {error}; give numbers, or nothing") from error
    return not all(abs(a - b) <= MOVED_UM for a, b in zip(then, places[row["cell_id"]], strict=True))
