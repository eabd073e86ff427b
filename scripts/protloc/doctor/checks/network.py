"""The network: no job needs one; a study that still has to fetch its images needs it on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

from protloc.config.settings import Study
from protloc.config.sources import read_sources
from protloc.doctor.finding import Check, Judgement, Place, bad, ok
from protloc.listing import NAME, read_listing

PUBLISHED = "opencell_images"  # of config/sources.csv: asked for where a study fetches nothing


def fetches(study: Study) -> bool:
    """Whether a study's images come over the network."""
    return study.acquisition is not None and study.acquisition.mirror.startswith("s3://")


def host_of(study: Study) -> str:
    """The host that images come from, or that of the published ones."""
    if not fetches(study):
        return urlparse(read_sources()[PUBLISHED].url).hostname or ""
    bucket = study.acquisition
    return urlparse(bucket.endpoint or "").hostname or f"s3.{bucket.region}.amazonaws.com"


def judge(place: Place) -> Iterator[Judgement]:
    """Whether there is one, and whether that matters."""
    seen, host = place.answer["network"]["reached"], place.answer["network"]["host"]
    said = f"{host} is {'reached' if seen else 'not reached'}"
    fetched = (Path("results") / place.study.study / "fovs.parquet").is_file()
    if place.is_node or not fetches(place.study) or fetched or _staged(place.study):
        yield ok(f"{said}; none is needed")
    elif seen:
        yield ok(f"{said}: images can be fetched")
    else:
        said += ", and the images are still to be fetched"
        yield bad(said, "call protloc stage on a machine with a network")


def _staged(study: Study) -> bool:
    """Whether protloc stage has fetched all images."""
    assert study.acquisition is not None
    data = Path("data") / study.study
    listing = read_listing(data / NAME, study.acquisition.mirror, study.acquisition.endpoint)
    return listing is not None and not listing.missing(data / "raw")


CHECK = Check("network", judge)
