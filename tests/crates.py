"""Crates as others read them: judged by roc-validator, asked by SPARQL. No test of these needs a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyoxigraph as ox
import responses

DATA = Path(__file__).parent / "data/crate"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
TERMS = json.loads((DATA / "context.json").read_text())
BASE = "https://crate.example/"


def metadata(crate: Path) -> dict[str, dict[str, Any]]:
    """The entities of a crate by id."""
    return {
        each["@id"]: each for each in json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    }


def faults(crate: Path) -> list[str]:
    """What a Provenance Run Crate is required to have, and this one has not."""
    from rocrate_validator.models import ValidationSettings
    from rocrate_validator.services import validate

    settings = {"profile_identifier": "provenance-run-crate", "requirement_severity": "REQUIRED"}
    with responses.RequestsMock() as net:
        net.get(CONTEXT, json=TERMS, content_type="application/ld+json")
        result = validate(ValidationSettings(rocrate_uri=str(crate), no_cache=True, **settings))
    return [f"{issue.violatingEntity}: {issue.message}" for issue in result.get_issues()]


class Asked:
    """A crate that answers the questions of tests/data/crate; its own ids are plain relative paths."""

    def __init__(self, crate: Path) -> None:
        document = json.loads((crate / "ro-crate-metadata.json").read_text())
        document["@context"] = [TERMS["@context"], document["@context"][1]]
        self._store = ox.Store()
        self._store.load(json.dumps(document).encode(), ox.RdfFormat.JSON_LD, base_iri=BASE)

    def __call__(self, question: str) -> set[tuple]:
        rows = self._store.query((DATA / f"{question}.rq").read_text())
        return {tuple(map(_plain, row)) for row in rows}


def _plain(term: Any) -> Any:
    if isinstance(term, ox.NamedNode):
        return unquote(term.value.removeprefix(BASE))
    kind = term and term.datatype.value.rpartition("#")[2]
    read = {"integer": int, "double": float, "boolean": "true".__eq__}.get(kind, str)
    return None if term is None else read(term.value)
