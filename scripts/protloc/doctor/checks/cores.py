"""Cores: as many as the rules ask for, counted by affinity, not by what the machine has."""

from __future__ import annotations

from collections.abc import Iterator

from protloc.doctor.finding import Check, Judgement, Place, bad, ok


def judge(place: Place) -> Iterator[Judgement]:
    """The cores that a job may use against those that it asked for."""
    asked = place.need.cores
    granted = place.answer["slurm_cores"] or asked  # old versions of Slurm do not say
    usable = min(place.answer["cores"], granted)
    if usable >= asked:
        yield ok(f"{usable} usable, {asked} asked for")
    elif granted < asked:
        yield bad(
            f"Slurm grants {granted} of {asked} cores asked for",
            "take cpus_per_task and --cpus-per-task out of the profile; set-threads says how many a rule has",
        )
    else:
        yield bad(
            f"the job is bound to {usable} of {asked} cores asked for",
            f"ask the site how jobs are bound to cores; or put {usable} in the profile's set-threads",
        )


CHECK = Check("cores", judge)
