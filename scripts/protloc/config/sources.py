"""`config/sources.csv`: every file that comes from outside, where it lies and how it is told from another."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import urlparse

from pydantic import Field, ValidationError

from protloc.config.settings import Name, Settings
from protloc.errors import InputError
from protloc.modules import SCRIPTS

SOURCES = SCRIPTS.parent / "config/sources.csv"


class Source(Settings):
    """A row: one file, or the bucket that files lie in. What its publisher does not state is empty."""

    name: Name
    version: str
    url: Annotated[str, Field(pattern=r"^https://\S+$")]
    size: Annotated[int, Field(gt=0)] | None = Field(description="bytes")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    licence: str
    citation: str
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="when the row was checked")]

    @property
    def file_name(self) -> str:
        """The last part of the address, the name under which the file is kept."""
        return PurePosixPath(urlparse(self.url).path).name


def read_sources(path: Path = SOURCES) -> dict[str, Source]:
    """The rows by name; raises InputError that names line and column for one that does not fit."""
    sources: dict[str, Source] = {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            for row in reader:
                source = _parse(row, f"{path}: line {reader.line_num}")
                if source.name in sources:
                    raise InputError(f"{path}: line {reader.line_num}: name: {source.name} is there twice")
                sources[source.name] = source
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable table ({error})") from error
    return sources


def _parse(row: dict[str, str | None], where: str) -> Source:
    values: dict[str, str | int | None] = {column: value or None for column, value in row.items()}
    if (row.get("size") or "").isdecimal():
        values["size"] = int(row["size"])
    try:
        return Source.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{where}: {first['loc'][0]}: {first['msg']}") from error
