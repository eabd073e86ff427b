"""What vouches for inputs that no step made: a table with their digests, the sources, the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from protloc.audit.study import MARK, Record, Study
from protloc.config.sources import Source, read_sources
from protloc.errors import InputError
from protloc.facts import PROJECT
from protloc.models.loading.files import FOLDER


@dataclass(frozen=True)
class Listing:
    """A folder `below` whose files the `table` lists by name and digest; `folder` is None if not here."""

    below: str
    table: str
    folder: Path | None
    rows: tuple[tuple[str, str], ...]

    def files(self) -> list[tuple[str, Path | None, str]]:
        """Each file's name, where it lies (None if it is gone or its name leads out), and its digest."""
        return [(name, _inside(self.folder, name), digest) for name, digest in self.rows]


def _inside(folder: Path, name: str) -> Path | None:
    try:
        place = folder / name
        return place if place.is_file() and place.resolve().is_relative_to(folder.resolve()) else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def listing_of(record: Record, study: Study) -> Listing | None:
    """The folder that a step filled beside its outputs, if its parameter `files` says that it did."""
    import pyarrow.parquet as pq

    says = record.facts["params"].get("files")
    keys = ("below", "listed_in", "name", "sha256")
    if not isinstance(says, dict) or not all(isinstance(says.get(key), str) for key in keys):
        return None
    if says["listed_in"] not in study.records:
        return None
    table = study.records[says["listed_in"]]
    try:
        columns = pq.read_table(table.file, columns=[says["name"], says["sha256"]])
        rows = zip(*(column.to_pylist() for column in columns.columns), strict=True)
        listed = tuple((name, digest) for name, digest in rows if digest)
    except (OSError, ValueError, KeyError):
        return None  # the table's own verdict says what is wrong with it
    return Listing(says["below"], table.output, study.located(says["below"]), listed)


def source_of(name: str, digest: str, study: Study) -> str | None:
    """Where an input without a record comes from, or None where nothing says so."""
    if name.startswith(f"{PROJECT}/"):
        return "comes with the project"
    for row, known in _sources().items():
        if digest == known.sha256:
            return f"is {row} of config/sources.csv"
        if known.sha256 is None and name == (FOLDER / known.file_name).as_posix():
            return f"is called as {row} of config/sources.csv, which lists no digest"
    return "is named by the study's configuration" if name in _settings(study.root / MARK) else None


def _sources() -> dict[str, Source]:
    try:
        return read_sources()
    except InputError:
        return {}  # on a machine that has the results alone


def _settings(path: Path) -> set[str]:
    """Every text in a study's configuration."""
    try:
        waiting: list[Any] = [yaml.safe_load(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, yaml.YAMLError):
        return set()
    texts = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str):
            texts.add(value)
    return texts
