"""`config/sources.csv`: every file that comes from outside, where it lies and how it is told from another."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import urlparse

from pydantic import Field

from protloc.config.rows import read_rows
from protloc.config.settings import Name, Settings
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
    return read_rows(path, _parse, "name")


def _parse(row: dict[str, str | None]) -> Source:
    size = {"size": int(row["size"])} if (row.get("size") or "").isdecimal() else {}
    return Source.model_validate(row | size)
