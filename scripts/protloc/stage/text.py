"""What `protloc stage` prints: counts, and a table of what comes from whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from protloc.progress import amount

HEAD = ("what", "files", "size", "licence", "cite")


class Row(NamedTuple):
    """A source: its name, number of files, bytes (None: not known), licence and citation."""

    name: str
    files: int
    size: int | None
    licence: str
    citation: str


def table(rows: Iterable[Row]) -> Iterable[str]:
    """The lines of a table, columns aligned."""
    cells = [HEAD, *((r.name, f"{r.files:,}", _size(r.size), r.licence, r.citation) for r in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    for name, files, size, licence, citation in cells:
        left, right = name.ljust(widths[0]), f"{files:>{widths[1]}}  {size:>{widths[2]}}"
        yield f"  {left}  {right}  {licence.ljust(widths[3])}  {citation}".rstrip()


def _size(size: int | None) -> str:
    return "?" if size is None else amount(size)


def counted(counts: Mapping[str, int]) -> str:
    """Counts as words, the most frequent first."""
    return ", ".join(f"{count} × {name}" for name, count in sorted(counts.items(), key=lambda one: -one[1]))
