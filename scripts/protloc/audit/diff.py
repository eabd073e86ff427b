"""Where two results begin to differ: the first of all that they were made from, and in what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protloc.audit.study import Record, Study, study_of
from protloc.audit.text import printable
from protloc.errors import InputError

Pair = tuple[Record, Record]


def differences(first: Path, second: Path) -> Iterator[str]:
    """Lines: what differs, from the pixels up; none if both results rest on the same and are the same.

    Inputs are paired by the name that their rule gives them. Raises InputError for a file without a record.
    """
    studies = study_of(first), study_of(second)
    ends = _record_of(studies[0], first), _record_of(studies[1], second)
    if ends[0].chain == ends[1].chain:
        return
    begun = False
    for step in _pairs(ends, studies, set()):
        lines = list(_own_differences(*step, studies))
        if lines:
            yield ("then " if begun else "they begin to differ at ") + _named(step)
            yield from (f"  {printable(line)}" for line in lines)
            begun = True
    if not begun:
        yield "the records differ, and name no difference: one of them was edited"


def _record_of(study: Study, file: Path) -> Record:
    for record in study.records.values():
        if record.file == file.absolute():
            return record
    raise InputError(f"{file}: has no record; `protloc audit {file}` looks for it by content")


def _pairs(pair: Pair, studies: tuple[Study, Study], seen: set[tuple[str, str]]) -> Iterator[Pair]:
    """Pairs of results below a pair, what lies deepest first, itself last."""
    key = pair[0].output, pair[1].output
    if key in seen or pair[0].chain == pair[1].chain:
        return
    seen.add(key)
    inputs = [{fact["name"]: fact["path"] for fact in record.facts["inputs"]} for record in pair]
    for name in (name for name in inputs[0] if name in inputs[1]):
        below = studies[0].records.get(inputs[0][name]), studies[1].records.get(inputs[1][name])
        if below[0] and below[1]:
            yield from _pairs((below[0], below[1]), studies, seen)
    yield pair


def _own_differences(a: Record, b: Record, studies: tuple[Study, Study]) -> Iterator[str]:
    """What differs in a step itself, not in what recorded steps before it made."""
    for what in ("rule", "wildcards", "params", "versions"):
        yield from _values(what, a.facts[what], b.facts[what])
    yield from _code(a.facts["code"], b.facts["code"])
    inputs = [{fact["name"]: fact for fact in record.facts["inputs"]} for record in (a, b)]
    for name in sorted(inputs[0].keys() ^ inputs[1].keys()):
        which = "first" if name in inputs[0] else "second"
        yield f"input {name}: only the {which} has it"
    for name in sorted(inputs[0].keys() & inputs[1].keys()):
        one, other = inputs[0][name], inputs[1][name]
        recorded = one["path"] in studies[0].records and other["path"] in studies[1].records
        if not recorded and one.get("chain", one["sha256"]) != other.get("chain", other["sha256"]):
            yield f"input {name}: {one['path']} is not {other['path']} by content"
    same_facts = a.facts | {"outputs": None} == b.facts | {"outputs": None}
    if same_facts and a.content["sha256"] != b.content["sha256"]:
        yield "content: the same facts gave other bytes"


def _values(what: str, a: Any, b: Any) -> Iterator[str]:
    """A line for each value that differs, under its whole name."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            yield from _values(f"{what}.{key}", a.get(key), b.get(key))
    elif a != b:
        yield f"{what}: {a} / {b}"


def _code(a: dict[str, str], b: dict[str, str]) -> Iterator[str]:
    changed = sorted(file for file in a.keys() | b.keys() if a.get(file) != b.get(file))
    if changed:
        yield f"code: {', '.join(changed)}"


def _named(pair: Pair) -> str:
    names = dict.fromkeys(printable(record.output) for record in pair)
    return " / ".join(names)
