"""Weights: those of the study's backbones are there, and are the files that were meant."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from protloc.config.backbones import PACKAGED, PRETRAINED, Backbone, Network
from protloc.config.sources import read_sources
from protloc.doctor.finding import Check, Judgement, Place, bad, ok, unknown
from protloc.doctor.text import short
from protloc.errors import InputError
from protloc.hashing import sha256_path
from protloc.models.loading.files import weights_file


def judge(place: Place) -> Iterator[Judgement]:
    """A judgement per network that has weights."""
    for network in with_weights(place.backbones):
        yield _of(network)


def with_weights(backbones: Mapping[str, Backbone]) -> list[Network]:
    """The networks whose weights have to be there before the run."""
    networks = [row for row in backbones.values() if isinstance(row, Network)]
    return [row for row in networks if row.weights not in (None, PRETRAINED)]


def file_of(network: Network) -> Path:
    """The file of its weights; raises InputError where it is missing or another."""
    logging.disable(logging.WARNING)  # a missing digest is a line of the table
    try:
        return weights_file(network)
    finally:
        logging.disable(logging.NOTSET)


def _of(network: Network) -> Judgement:
    try:
        path = file_of(network)
    except InputError as error:
        said, _, fix = str(error).rpartition("; ")
        return bad(said, fix)
    expected = _expected(network, path)
    if expected is None:
        return unknown(f"{_name(network, path)}: is there; no digest is listed to compare it with")
    if sha256_path(path) != expected:
        fix = "make setup; uv sync --reinstall" if network.layout in PACKAGED else f"git checkout -- {path}"
        return bad(f"{_name(network, path)}: sha256 is not {expected[:12]}…, as recorded for it", fix)
    return ok(f"{_name(network, path)}: sha256 {expected[:12]}…")


def _name(network: Network, path: Path) -> str:
    return f"{network.weights}: {path.name}" if network.layout in PACKAGED else short(path)


def _expected(network: Network, path: Path) -> str | None:
    """The digest that the file must have: of config/sources.csv, its package's list, or its record."""
    assert network.weights is not None
    source = read_sources().get(network.weights)
    if source is not None:
        return source.sha256
    if network.layout in PACKAGED:
        owners = metadata.packages_distributions().get(network.weights, [])
        listed = (one for owner in owners for one in metadata.files(owner) or ())
        found = next((one.hash for one in listed if Path(one.locate()).resolve() == path.resolve()), None)
        if found is None or found.mode != "sha256":
            return None
        return base64.urlsafe_b64decode(f"{found.value}==").hex()
    record = path.with_suffix(".record.json")
    return json.loads(record.read_text())["sha256"] if record.is_file() else None


CHECK = Check("weights", judge)
