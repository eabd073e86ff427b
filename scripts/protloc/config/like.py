"""Rows of the registry that are like another row but for what they say themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from protloc.errors import InputError

# What describes published weights, and does not hold for the same network with random ones.
OF_WEIGHTS = ("weights", "layout", "prefix", "ignore", "request", "licence", "citation")

Row = Mapping[str, Any]


def resolved(rows: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The rows by name, each `like: other` replaced by the fields of the other row that it does not give.

    A title is never taken over. A row that gives a seed and no weights is the other network untrained: it
    takes nothing that describes weights, and is a control. Raises InputError for a row that is like none, or
    like itself.
    """
    return {name: _resolved(name, rows, path, ()) for name in rows}


def _resolved(name: str, rows: Mapping[str, Any], path: Path, before: tuple[str, ...]) -> Any:
    row = rows[name]
    if not isinstance(row, Mapping) or "like" not in row:
        return row
    other, chain = row["like"], (*before, name)
    if other not in rows:
        raise InputError(f"{path}: {name}.like: there is no row {other}; name one of the file")
    if other in chain:
        raise InputError(f"{path}: {name}.like: {' is like '.join((*chain, other))}: no row says what it is")
    base = _resolved(other, rows, path, chain)
    if not isinstance(base, Mapping):
        raise InputError(f"{path}: {name}.like: {other} is no row; correct it")
    untrained = "seed" in row and "weights" not in row
    left_out = {"title", *(OF_WEIGHTS if untrained else ())}
    taken = {field: value for field, value in base.items() if field not in left_out}
    own = {field: value for field, value in row.items() if field != "like"}
    return taken | ({"control": True} if untrained else {}) | own
