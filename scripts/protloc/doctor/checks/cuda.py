"""CUDA: torch works on the GPU, and the driver is new enough for the build that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from protloc.doctor.finding import Check, Judgement, Place, bad, ok

OLDER = {12: "cu126"}  # builds for drivers of an older CUDA, by its major version
DOCUMENTED = "README.md, 'Before a long run'"


def judge(place: Place) -> Iterator[Judgement]:
    """Whether torch can be imported, and where a GPU was asked for, whether it computes."""
    torch, host = place.answer["torch"], place.answer["host"]
    if "error" in torch:
        said = f"torch cannot be imported on {host}: {torch['error']}"
        yield bad(said, "make setup, with .venv on the shared folder")
    elif place.need.gpus:
        yield _on_gpu(place, torch, place.answer["gpus"])
    elif torch["available"]:
        yield ok(f"torch {torch['version']}: {', '.join(torch['devices'])}")
    elif not place.is_node:
        yield ok(f"torch {torch['version']}; no GPU on this machine")


def _on_gpu(place: Place, torch: dict[str, Any], gpus: dict[str, Any]) -> Judgement:
    host, build, speaks = place.answer["host"], torch["cuda"], gpus["driver_cuda"]
    if build is None:
        return bad(f"torch {torch['version']} is a build without CUDA", "make setup installs the one with it")
    if speaks is None:
        return bad(
            f"no NVIDIA driver on {host} (libcuda.so.1)",
            f"tell the site, or exclude the node: slurm_extra: \"'--exclude={host}'\" in the profile",
        )
    driver = f"driver {gpus['driver'] or 'of unknown version'}, CUDA {speaks[0]}.{speaks[1]}"
    if speaks[0] < int(build.split(".")[0]):  # within a major version older drivers are compatible
        return bad(f"{driver}, is behind torch's CUDA {build}", _variant(speaks[0]))
    if not torch["available"]:
        said = f"{driver}, and torch.cuda is not available on {host}"
        return bad(said, "nvidia-smi on the node says more; tell the site")
    if len(torch["devices"]) != place.need.gpus:
        return bad(
            f"torch sees {len(torch['devices'])} devices, {place.need.gpus} asked for",
            f"nvidia-smi on {host} shows which is lost; tell the site, or exclude the node",
        )
    if not torch["works"]:
        said = f"{torch['devices'][0]} on {host} multiplies wrongly"
        return bad(said, "tell the site, and exclude the node")
    return ok(f"{', '.join(torch['devices'])}; {driver}; torch's CUDA {build}")


def _variant(major: int) -> str:
    if major not in OLDER:
        return "ask the site for a driver of CUDA 12 (525) or newer; torch has no build for this one"
    return f"install torch's {OLDER[major]} build: make torch-{OLDER[major]} ({DOCUMENTED})"


CHECK = Check("cuda", judge)
