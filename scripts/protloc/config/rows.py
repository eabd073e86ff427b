"""Tables of the configuration: CSV files whose rows are checked like settings."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from protloc.errors import InputError

Row = TypeVar("Row", bound=BaseModel)


def read_rows(path: Path, parse: Callable[[dict[str, str | None]], Row], key: str) -> dict[str, Row]:
    """The rows by the column `key`, each made by `parse` from texts, an empty one being None.

    Raises InputError that names line and column for a row that does not fit, or a key that is there twice.
    """
    rows: dict[str, Row] = {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            for texts in reader:
                where = f"{path}: line {reader.line_num}"
                try:
                    row = parse({column: text or None for column, text in texts.items()})
                except ValidationError as error:
                    first = error.errors()[0]
                    raise InputError(f"{where}: {first['loc'][0]}: {first['msg']}") from error
                name = getattr(row, key)
                if name in rows:
                    raise InputError(f"{where}: {key}: {name} is there twice")
                rows[name] = row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable table ({error})") from error
    return rows
