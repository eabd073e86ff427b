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
    rules = ", ".join(place.need.rules)
    if count is None:
        yield unknown(
            f"{asked} asked for by {rules}; CUDA_VISIBLE_DEVICES is not set and nvidia-smi is not there to tell",
            "ask the site whether Slurm assigns devices (gres.conf)",
        )
    elif count == asked:
        yield ok(f"{count} seen, {asked} asked for")
    elif count < asked:
        yield bad(
            f"{count} seen, {asked} asked for by {rules}",
            "ask for as many as the study says (gpus of finetune and pretraining) in the profile's --gres or --gpus",
        )
    else:
        yield bad(
            f"{count} seen, {asked} asked for by {rules}: jobs would share devices",
            "ask for devices as the site does (--gpus, --gres), or the site to hide those of others",
        )


CHECK = Check("gpus", judge)
