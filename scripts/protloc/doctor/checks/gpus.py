"""GPUs: a job sees as many as its rule asks for."""

from __future__ import annotations

from collections.abc import Iterator

from protloc.doctor.finding import Check, Judgement, Place, bad, ok, unknown


def judge(place: Place) -> Iterator[Judgement]:
    """The devices that Slurm lets the job see against those that were asked for."""
    asked, seen = place.need.gpus, place.answer["gpus"]
    if not asked:
        return
    count = seen["listed"] if seen["visible"] is None else seen["visible"]
    if count is None:
        yield unknown(
            f"{asked} asked for by {place.need.whose}; neither CUDA_VISIBLE_DEVICES nor nvidia-smi tells",
            "ask the site whether Slurm assigns devices (gres.conf)",
        )
    elif count == asked:
        yield ok(f"{count} seen, {asked} asked for")
    elif count < asked:
        yield bad(
            f"{count} seen, {asked} asked for by {place.need.whose}",
            "ask for as many in the profile (gpu, gres, slurm_extra) as the study says (gpus)",
        )
    else:
        yield bad(
            f"{count} seen, {asked} asked for by {place.need.whose}: jobs would share devices",
            "ask for devices as the site does (--gpus, --gres), or the site to hide those of others",
        )


CHECK = Check("gpus", judge)
