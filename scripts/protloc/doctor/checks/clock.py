"""The clock of a node against this machine's: Snakemake compares the times of files."""

from __future__ import annotations

from collections.abc import Iterator

from protloc.doctor.finding import Check, Judgement, Place, bad, ok, unknown

ALLOWED_S = 2.0
WIDE_S = 120.0  # a window in which much could hide


def judge(place: Place) -> Iterator[Judgement]:
    """Whether the probe says that it ran outside of the time in which it did."""
    assert place.window is not None
    earliest, latest = place.window
    behind, ahead = earliest - place.answer["began"], place.answer["ended"] - latest
    skew = max(behind, ahead)
    hidden = latest - earliest - (place.answer["ended"] - place.answer["began"])
    if skew > ALLOWED_S:
        way = "behind" if behind > ahead else "ahead of"
        yield bad(
            f"{place.answer['host']} is at least {skew:.0f} s {way} this machine",
            "tell the site that its clocks differ, or exclude the node: results would look outdated",
        )
    elif hidden > WIDE_S:
        yield unknown(f"the probe began within {hidden:.0f} s; a smaller difference cannot be told")
    else:
        yield ok(f"agrees with this machine's to within {max(hidden, 0) + ALLOWED_S:.0f} s")


CHECK = Check("clock", judge)
