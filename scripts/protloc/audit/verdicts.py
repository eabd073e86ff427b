"""What an audit can find of a result or an input, and how it says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from protloc.audit.study import Record


class Verdict(StrEnum):
    """What holds of a file."""

    VERIFIED = "verified"
    MODIFIED = "modified"
    STALE = "stale"
    MISSING = "missing"
    ORPHAN = "orphan"
    UNRECORDED = "unrecorded"
    UNCHECKED = "not here"


MEANINGS = {
    Verdict.VERIFIED: "it and all that it was made from are what the records say",
    Verdict.MODIFIED: "its content, or its record, was changed after it was made",
    Verdict.STALE: "something that it was made from is not what it was then",
    Verdict.MISSING: "a record names it, and it is gone",
    Verdict.ORPHAN: "no rule makes it, and no source lists it",
    Verdict.UNRECORDED: "it lies among the results, and no record names it",
    Verdict.UNCHECKED: "an input that lies outside the results, and not on this machine",
}
FINE = {Verdict.VERIFIED, Verdict.UNCHECKED}
BROKEN = {Verdict.MODIFIED, Verdict.STALE, Verdict.MISSING}


@dataclass(frozen=True)
class Node:
    """A result or an input with its verdict; `name` as Snakemake knew it, `file` where it lies now."""

    name: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    file: Path | None = None
    record: Record | None = None
    inputs: tuple[str, ...] = ()
