"""`config/sources.lock.csv`: what was found, at first, of files that the sources give no digest of."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from protloc.atomic import write_text
from protloc.config.rows import read_rows
from protloc.config.settings import Name, Settings

NUMBERS = ("files", "size")


class Pin(Settings):
    """A row: a file, or the files of a bucket, as they were when first fetched."""

    name: Name = Field(description="row of the sources")
    url: str
    files: Annotated[int, Field(gt=0)]
    size: Annotated[int, Field(gt=0)] = Field(description="bytes, all files together")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="of the file; of a bucket: of keys, lengths and ETags"
    )
    checksum: Annotated[str, Field(pattern=r"^md5:[0-9a-f]{32}$")] | None = Field(
        description="what its publisher says, where it does"
    )
    trust: Literal["publisher", "first use"] = Field(description="who vouches for the content")
    pinned: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


def lock_of(sources: Path) -> Path:
    """Where the pins of a table of sources are: `sources.lock.csv` beside `sources.csv`."""
    return sources.with_suffix(".lock.csv")


def read_pins(path: Path) -> dict[str, Pin]:
    """The rows by name, none where there is no file; InputError names line and column of a wrong one."""
    return read_rows(path, _parse, "name") if path.exists() else {}


def write_pins(path: Path, pins: Mapping[str, Pin]) -> None:
    """Write the rows, sorted by name."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Pin.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(pins[name].model_dump() for name in sorted(pins))
    write_text(path, text.getvalue())


def _parse(row: dict[str, str | None]) -> Pin:
    numbers = {name: int(row[name] or "") for name in NUMBERS if (row.get(name) or "").isdecimal()}
    return Pin.model_validate(row | numbers)
