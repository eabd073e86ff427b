"""Scratch: the folder for temporary files takes what is written to it."""

from __future__ import annotations

from collections.abc import Iterator

from protloc.doctor.finding import Check, Judgement, Place, bad, ok, unknown

NEEDED_MB = 256  # temporary files of the steps are small; the rest is for libraries
FIX = "export TMPDIR=FOLDER with room, before snakemake is started; jobs inherit it"


def judge(place: Place) -> Iterator[Judgement]:
    """Whether it can be written, and its room."""
    seen = place.answer["scratch"]
    path, free = seen["path"], seen["free_mb"]
    if seen["error"]:
        yield bad(f"{path}: {seen['error']} ({_mb(free)} free)", FIX)
    elif free is None:
        yield unknown(f"{path}: does not say how much is free")
    elif free < NEEDED_MB:
        yield bad(f"{path}: {_mb(free)} free, {NEEDED_MB} MB needed", FIX)
    else:
        yield ok(f"{path}: {_mb(free)} free")


def _mb(free: int | None) -> str:
    return "unknown" if free is None else f"{free} MB"


CHECK = Check("scratch", judge)
