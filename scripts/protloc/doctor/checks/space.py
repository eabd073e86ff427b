"""Space and inodes: more are free than the study will take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from protloc.config.settings import Study
from protloc.doctor.finding import Check, Judgement, Place, bad, ok, unknown
from protloc.doctor.text import short
from protloc.opencell import CLASSES

LEAST_MB = 2000  # weights, vectors, checkpoints and reports of a small study
OPENCELL_FIELDS, OPENCELL_MB = 6301, 9000
COPIES = 3  # the raw images, the crops, and the rest together; a simulated mirror is one more
INODES_BESIDE_FIELDS = 20_000  # Snakemake's notes, records and logs of O(100) results


def judge(place: Place) -> Iterator[Judgement]:
    """What is free where data and results go, against what is still to come."""
    fields, mb = expected(place.study)
    there = sum(map(_size_mb, (Path("data") / place.study.study, Path("results") / place.study.study)))
    needed, inodes = max(LEAST_MB, LEAST_MB + COPIES * mb - there), INODES_BESIDE_FIELDS + 2 * fields
    fix = "free some, or make data/ and results/ links to a larger file system"
    for path, seen in place.answer["folders"].items():
        name = short(path)
        free, left = seen["free_mb"], seen["free_inodes"]
        if free is None:
            yield unknown(f"{name}: does not say how much is free")
        elif free < needed:
            yield bad(f"{name}: {free} MB free, about {needed} needed", fix)
        else:
            yield ok(f"{name}: {free} MB free, about {needed} needed")
        if left is None:
            yield unknown(f"{name}: does not say how many more files it takes; needed are about {inodes}")
        elif left < inodes:
            yield bad(f"{name}: takes {left} more files, about {inodes} needed", fix)


def expected(study: Study) -> tuple[int, int]:
    """Fields of view and MB of their raw files; a bucket that is not OpenCell's is taken for as large."""
    if study.simulation is not None:
        drawn = study.simulation
        fields = len(CLASSES) * drawn.proteins_per_class * drawn.fields_per_protein
        return fields, 2 * fields * drawn.field_size_px**2 * 4 // 2**20
    assert study.acquisition is not None
    mirror = Path(study.acquisition.mirror)
    if study.acquisition.mirror.startswith("s3://") or not mirror.is_dir():
        return OPENCELL_FIELDS, OPENCELL_MB
    sizes = [path.stat().st_size for path in mirror.rglob("*.tif")]
    return len(sizes), sum(sizes) // 2**20


def _size_mb(path: Path) -> int:
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file()) // 2**20


CHECK = Check("space", judge)
