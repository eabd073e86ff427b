"""Findings as a table for a screen."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from protloc.doctor.finding import Finding, State

COLOURS = {State.OK: "32", State.BAD: "31", State.UNKNOWN: "90"}


def table(findings: Sequence[Finding], colour: bool) -> Iterator[str]:
    """Lines: a row per finding, and below one that is not good what to do."""
    where, check = (max(map(len, column), default=0) for column in zip(*map(_columns, findings), strict=True))
    state = max(map(len, State))
    for one in findings:
        found = one.judgement
        shown = f"{found.state:<{state}}"
        shown = f"\x1b[{COLOURS[found.state]}m{shown}\x1b[0m" if colour else shown
        named = _printable(f"{one.where:<{where}}  {one.check:<{check}}")
        yield f"{named}  {shown}  {_printable(found.said)}"
        if found.fix:
            yield f"{'':{where + check + state + 6}}-> {_printable(found.fix)}"


def summary(findings: Sequence[Finding]) -> str:
    """How many there are of each state."""
    counts = Counter(one.judgement.state for one in findings)
    return ", ".join(f"{counts[state]} {state}" for state in State if counts[state])


def short(path: Path | str) -> str:
    """A path as one would type it: below the working directory relative to it."""
    path = Path(path)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _columns(finding: Finding) -> tuple[str, str]:
    return finding.where, finding.check


def _printable(text: str) -> str:
    """A text that moves no cursor and breaks no line: what cannot be printed is escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def wants_colour() -> bool:
    """Whether standard output is a terminal whose user has not declined colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
