"""Files on a node: weights and labels lie there in the same length as here."""

from __future__ import annotations

from collections.abc import Iterator

from protloc.doctor.finding import Check, Judgement, Place, bad, ok
from protloc.doctor.text import short


def judge(place: Place) -> Iterator[Judgement]:
    """A judgement per file that is another on the node, or one for all."""
    seen, host = place.answer["files"], place.answer["host"]
    wrong = [name for name, size in seen.items() if size != place.here["files"].get(name)]
    for name in wrong:
        here = place.here["files"].get(name)
        said = "is not seen" if seen[name] is None else f"has {seen[name]} bytes, here {here}, as seen"
        yield bad(f"{short(name)}: {said} on {host}", "put it on the file system that all nodes share")
    if not wrong and seen:
        yield ok(f"{len(seen)} files, as here")


CHECK = Check("files", judge)
