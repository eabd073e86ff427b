"""`config/sources.csv`: every file that comes from outside, where it lies and how it is told from another."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import urlparse

from pydantic import Field

from protloc.config.pins import lock_of, read_pins
from protloc.config.rows import read_rows
from protloc.config.settings import Name, Settings
from protloc.errors import InputError
from protloc.modules import SCRIPTS

SOURCES = SCRIPTS.parent / "config/sources.csv"
ADDRESS = r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/)\S+$"  # plain within one machine alone

COMMON = ("model.safetensors", "pytorch_model.bin")  # what Hugging Face calls the weights of any model


class Source(Settings):
    """A row: one file, or the bucket that files lie in. What its publisher does not state is empty.

    Where the table leaves size and sha256 out, they are those of the lock, if the file is `pinned` there.
    """

    name: Name
    version: str
    url: Annotated[str, Field(pattern=ADDRESS)]
    size: Annotated[int, Field(gt=0)] | None = Field(description="bytes")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    licence: str
    citation: str
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="when the row was checked")]

    pinned: bool = False

    @property
    def listed_in(self) -> str:
        """The table that says its digest."""
        return f"config/sources{'.lock' if self.pinned else ''}.csv"

    @property
    def file_name(self) -> str:
        """The name under which the file is kept: the last part of its address; empty for a bucket.

        Where many files are called the same, it is the name of the row.
        """
        path = urlparse(self.url).path
        last = "" if path.endswith("/") else PurePosixPath(path).name
        return f"{self.name}{PurePosixPath(last).suffix}" if last in COMMON else last


def read_sources(path: Path = SOURCES) -> dict[str, Source]:
    """The rows by name, with what the lock beside the table adds.

    Raises InputError that names line and column for a row that does not fit, or is of another file than the
    lock's.
    """
    rows, pins = read_rows(path, _parse, "name"), read_pins(lock_of(path))
    for name, row in rows.items():
        pin = pins.get(name)
        if pin is None or not row.file_name:
            continue
        for column in ("url", "size", "sha256"):
            if getattr(row, column) not in (None, getattr(pin, column)):
                lock = lock_of(path)
                raise InputError(
                    f"{lock}: {name}: {column} is {getattr(pin, column)}, {path} says "
                    f"{getattr(row, column)}; delete the row of {lock.name} if the latter is right"
                )
        if row.sha256 is None:
            rows[name] = row.model_copy(update={"size": pin.size, "sha256": pin.sha256, "pinned": True})
    return rows


def _parse(row: dict[str, str | None]) -> Source:
    size = {"size": int(row["size"])} if (row.get("size") or "").isdecimal() else {}
    return Source.model_validate(row | size)
