"""What a configuration needs from outside, and where it is to lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from protloc.config.backbones import Backbone, Network
from protloc.config.settings import Acquisition, Study
from protloc.config.sources import Source
from protloc.listing import NAME
from protloc.models.loading.files import FOLDER
from protloc.opencell import BUCKET

IMAGES = "opencell_images"  # the row of the sources that is the bucket
SEGMENTERS = {"stardist": "stardist_2d_versatile_fluo", "cellpose": "cellpose_sam"}
S3 = "s3://"


@dataclass(frozen=True)
class Bucket:
    """Where images come from; `source` is its row of the sources, None for a bucket that is not listed."""

    mirror: str
    endpoint: str | None
    address: str
    source: Source | None
    raw: Path
    listing: Path
    expected: int | None


@dataclass(frozen=True)
class Plan:
    """Files by row of the sources, the bucket if there is one, and what the user has to have brought."""

    files: Mapping[str, Path]
    bucket: Bucket | None
    own: tuple[Path, ...]


def plan_of(study: Study, registry: Mapping[str, Backbone], sources: Mapping[str, Source]) -> Plan:
    """What the study needs: the images and labels it names, the weights of its backbones and segmenter."""
    used = [registry[name] for name in study.embedding.backbones]
    names = [row.weights for row in used if isinstance(row, Network) and row.weights in sources]
    segmenter = SEGMENTERS.get(study.cells.segmenter) if study.cells else None
    names += [segmenter] if segmenter in sources else []
    files = {name: FOLDER / sources[name].file_name for name in names}
    own: list[Path] = []
    if study.acquisition is not None:
        labels = Path(study.acquisition.labels)
        listed = [name for name, row in sources.items() if row.file_name == labels.name]
        files |= {name: labels for name in listed[:1]}
        own += [] if listed else [labels]
    if study.cells is not None and study.cells.labels is not None:
        own.append(Path(study.cells.labels))
    return Plan(files, _bucket(study.study, study.acquisition, sources), tuple(own))


def _bucket(study: str, place: Acquisition | None, sources: Mapping[str, Source]) -> Bucket | None:
    if place is None or not place.mirror.startswith(S3):
        return None
    name, source = place.mirror.removeprefix(S3), sources.get(IMAGES) if place.mirror == BUCKET else None
    if place.endpoint:
        address = f"{place.endpoint.rstrip('/')}/{name}/"
    else:
        address = source.url if source else f"https://{name}.s3.{place.region}.amazonaws.com/"
    data = Path("data") / study
    return Bucket(
        place.mirror, place.endpoint, address, source, data / "raw", data / NAME, place.expected_fields
    )
