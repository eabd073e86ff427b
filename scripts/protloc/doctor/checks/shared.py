"""The study's folders: the same on every machine, writable, and files replaced whole by renaming."""

from __future__ import annotations

from collections.abc import Iterator

from protloc.doctor.finding import Check, Judgement, Place, bad, ok
from protloc.doctor.text import short


def judge(place: Place) -> Iterator[Judgement]:
    """A judgement per folder that is not right, or one for all."""
    found = list(_faults(place))
    yield from found
    if not found:
        what = "same view, writable, atomic rename" if place.is_node else "writable, atomic rename"
        yield ok(f"{', '.join(map(short, place.answer['folders']))}: {what}")


def _faults(place: Place) -> Iterator[Judgement]:
    for path, seen in place.answer["folders"].items():
        name = short(path)
        where = place.answer["host"]
        token = seen["token"] or place.here["folders"][path]["error"]  # nothing could be left there to see
        if place.is_node and not token:
            yield bad(
                f"{name}: a file written on this machine is not seen on {where}",
                "run from a file system that all nodes share; data/ and results/ may be links to one",
            )
        elif seen["error"]:
            yield bad(
                f"{name}: {seen['error']}: user {place.answer['user']} cannot write there on {where}",
                "make the folder yours and writable (ls -ld, quota, mount), or run from another one",
            )
        elif place.is_node and not seen.get("seen_here", True):
            yield bad(
                f"{name}: a file renamed on {where} is not seen here",
                "raise latency-wait in the profile, or run from a file system that all nodes share",
            )


CHECK = Check("folders", judge)
