"""A number of a table, or of the table behind a figure, back to the pixels that it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from protloc.audit.below import BELOW, Tables, indented
from protloc.audit.study import Study, study_of
from protloc.audit.text import printable
from protloc.errors import InputError
from protloc.tables import TABLES, read_table

DRAWN = ("summary", "predictions", "neighbours")  # tables whose numbers figures show
VECTORS = ("embeddings", "cell_embeddings")


def trace(file: Path, selectors: Sequence[str]) -> Iterator[str]:
    """Lines from a row of `file` down to fields, boxes and pixels; `selectors` are COLUMN=VALUE.

    Raises InputError if they name no row, or several.
    """
    study = study_of(file)
    file = _table_behind(study, file.absolute())
    name, rows = _read(file)
    row = _select(rows, selectors, file)
    yield f"{printable(file.relative_to(study.root).as_posix())}, a row of {name}: {_said(row)}"
    yield from indented(BELOW[name](Tables(study), row)) if name in BELOW else ()


def _table_behind(study: Study, file: Path) -> Path:
    """The file itself if it is a table; of a figure, the table that it draws."""
    if file.suffix in {".parquet", ".csv"}:
        return file
    for record in study.records.values():
        if record.file == file:
            tables = [fact["path"] for fact in record.facts["inputs"] if fact["path"].endswith(".parquet")]
            for name in tables:
                if name in study.records and PurePosixPath(name).stem in {
                    "summary",
                    "predictions",
                    "neighbours",
                }:
                    return study.records[name].file
    raise InputError(f"{file}: is neither a table nor a figure of one; name the table")


def _read(file: Path) -> tuple[str, pd.DataFrame]:
    """A table with the name of its kind; a figure's CSV has none."""
    if file.suffix == ".csv":
        return "a figure", pd.read_csv(file)
    columns = pq.read_schema(file).names
    for name, table in TABLES.items():
        if [column.name for column in table.columns] == columns:
            ids = list(table.key)
            return name, pq.read_table(file, columns=ids).to_pandas() if name in VECTORS else read_table(
                name, file
            )
    raise InputError(f"{file}: is no table of the workflow")


def _select(rows: pd.DataFrame, selectors: Sequence[str], file: Path) -> pd.Series:
    """The one row that has these values, of the subset `test` unless another is named.

    Where rows of fields and of cells have them, it is that of fields. Raises InputError for an unknown
    column, no row, or several.
    """
    chosen = pd.Series(True, index=rows.index)
    if "subset" in rows and not any(selector.startswith("subset=") for selector in selectors):
        selectors = [*selectors, "subset=test"]
    for selector in selectors:
        column, _, value = selector.partition("=")
        if column not in rows:
            raise InputError(f"{printable(selector)}: columns of {file.name} are {', '.join(rows)}")
        chosen &= rows[column].map(lambda held, value=value: _same(held, value))
    if chosen.sum() > 1 and "level" in rows:
        fields = chosen & (rows["level"] == "fov")
        chosen = fields if fields.any() else chosen
    if chosen.sum() != 1:
        differing = [name for name in rows if rows.loc[chosen, name].astype(str).nunique() > 1]
        hint = f"; tell them apart by {', '.join(differing[:6])}" if chosen.any() else ""
        raise InputError(f"{file.name}: {chosen.sum()} rows have {printable(' '.join(selectors))}{hint}")
    return rows[chosen].iloc[0]


def _same(held: object, value: str) -> bool:
    if isinstance(held, int | float | np.number) and not isinstance(held, bool | np.bool_):
        try:
            return float(held) == float(value)
        except ValueError:
            return False
    return str(held) == value


def _said(row: pd.Series) -> str:
    short = {name: value for name, value in row.items() if not isinstance(value, list | np.ndarray)}
    return printable(", ".join(f"{name} {value}" for name, value in short.items()))
