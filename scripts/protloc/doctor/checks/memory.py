"""Memory: as much as the rules ask for, by what Slurm grants, what is enforced and what is free."""

from __future__ import annotations

from collections.abc import Iterator

from protloc.doctor.finding import Check, Judgement, Place, bad, ok, unknown

WAYS = {
    "slurm_mb": ("Slurm grants", "take mem_mb_per_cpu and --mem out of the profile: mem_mb says it"),
    "limit_mb": ("the control group allows", "ask the site why jobs get less than --mem"),
    "available_mb": (
        "the node has free",
        "ask the site what else uses it, or exclude the node",
    ),
}


def judge(place: Place) -> Iterator[Judgement]:
    """The least of what is known against what was asked for."""
    asked = place.need.mem_mb
    seen = {way: mb for way, mb in place.answer["memory"].items() if mb}
    if not seen or not asked:
        yield unknown(f"asked for {asked} MB; the node does not say what it gives")
        return
    way = min(seen, key=lambda name: seen[name])
    said, fix = WAYS[way]
    if seen[way] >= asked * 0.99:  # MB of 1000 and of 1024 KB are both in use
        yield ok(f"{seen[way]} MB, {asked} asked for")
    else:
        yield bad(f"{said} {seen[way]} of {asked} MB asked for", fix)


CHECK = Check("memory", judge)
