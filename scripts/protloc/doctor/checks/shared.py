"""The study's folders: the same on every machine, writable, and files replaced whole by renaming."""

from __future__ import annotations

from collections.abc import Iterator

from protloc.doctor.finding import Check, Judgement, Place, bad, ok


def judge(place: Place) -> Iterator[Judgement]:
    """A judgement per folder that is not right, or one for all."""
    found = list(_faults(place))
    yield from found
    if not found:
        what = "same view, writable, atomic rename" if place.is_node else "writable, atomic rename"
        yield ok(f"{', '.join(place.answer['folders'])}: {what}")


def _faults(place: Place) -> Iterator[Judgement]:
    for name, seen in place.answer["folders"].items():
        if place.is_node and not seen["token"]:
            yield bad(
                f"{name}: a file written on this machine is not seen on {place.answer['host']}",
                "run from a folder on a file system that all nodes share; data/ and results/ may be links to one",
            )
        elif seen["error"]:
            yield bad(
                f"{name}: {seen['error']}: cannot write there as user {place.answer['user']} on {place.answer['host']}",
                "make the folder yours and writable (ls -ld, quota, mount), or run from another one",
            )
        elif place.is_node and not seen.get("seen_here", True):
            yield bad(
                f"{name}: a file renamed on {place.answer['host']} is not seen here",
                "raise latency-wait in the profile, or run from a file system that all nodes share",
            )


CHECK = Check("folders", judge)
