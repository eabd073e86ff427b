"""Data: labels and images are there, and those that were fetched are what they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from protloc.config.settings import Acquisition
from protloc.config.sources import read_sources
from protloc.doctor.finding import Check, Judgement, Place, bad, ok, unknown
from protloc.hashing import sha256_path
from protloc.listing import NAME, read_listing

STAGE = "fetch it with protloc stage --configfile and the study's file"
SAMPLE = 32  # fetched files whose digest is taken; of the others the length


def judge(place: Place) -> Iterator[Judgement]:
    """Of a study on real images: its label table, where images come from, those that are here."""
    study = place.study
    if study.cells is not None and study.cells.labels is not None:
        yield _present(Path(study.cells.labels), "correct cells.labels in the configuration")
    if study.acquisition is None:
        yield ok("simulated by the run")
    else:
        yield from _of(study.acquisition, Path("data") / study.study)
    fields = Path("results") / study.study / "fovs.parquet"
    if study.acquisition is not None and fields.is_file():
        yield _fetched(fields, Path("data") / study.study / "raw")


def _of(acquisition: Acquisition, data: Path) -> Iterator[Judgement]:
    labels = Path(acquisition.labels)
    known = [one for one in read_sources().values() if one.sha256 and one.file_name == labels.name]
    if not labels.is_file() and known:
        yield bad(f"{labels}: is missing", STAGE)
    elif labels.is_file() and known and sha256_path(labels) != known[0].sha256:
        yield bad(
            f"{labels}: has not the sha256 of config/sources.csv: {known[0].name}", f"move it away; {STAGE}"
        )
    else:
        yield _present(labels, "correct acquisition.labels in the configuration")
    if acquisition.mirror.startswith("s3://"):
        yield _staged(data, acquisition)
    elif next(Path(acquisition.mirror).rglob("*.tif"), None) is None:
        yield bad(f"{acquisition.mirror}: holds no images", "correct acquisition.mirror in the configuration")
    else:
        yield ok(f"{acquisition.mirror}: holds images")


def _staged(data: Path, acquisition: Acquisition) -> Judgement:
    """Whether the images of a bucket are here, all by length."""
    listing = read_listing(data / NAME, acquisition.mirror, acquisition.endpoint)
    if listing is None:
        return unknown(f"{acquisition.mirror}: is looked into by the run, or before it by protloc stage")
    if missing := listing.missing(data / "raw"):
        return bad(f"{data / 'raw'}: {len(missing)} of {len(listing.projections)} images are missing", STAGE)
    return ok(f"{data / 'raw'}: holds the {len(listing.projections)} images of {acquisition.mirror}")


def _present(path: Path, fix: str) -> Judgement:
    return ok(f"{path}: is there") if path.is_file() else bad(f"{path}: is missing", fix)


def _fetched(fields: Path, raw: Path) -> Judgement:
    """Whether the fetched files are those of the table: all by length, some by digest."""
    from pyarrow.parquet import read_table

    rows = read_table(fields, columns=["key", "size_bytes", "sha256"]).to_pylist()
    rows = [row for row in rows if row["sha256"]]
    fix = f"delete what is wrong below {raw}: the run fetches it again; protloc audit --all reads all"
    for row in rows:
        path = raw / row["key"]
        if not path.is_file() or path.stat().st_size != row["size_bytes"]:
            return bad(f"{path}: is missing or of another length than {fields} says", fix)
    sample = rows[:: max(1, len(rows) // SAMPLE)]
    for row in sample:
        if sha256_path(raw / row["key"]) != row["sha256"]:
            return bad(f"{raw / row['key']}: has not the sha256 of {fields}", fix)
    return ok(f"{raw}: {len(rows)} files, all by length and {len(sample)} by sha256 those of {fields}")


CHECK = Check("data", judge)
