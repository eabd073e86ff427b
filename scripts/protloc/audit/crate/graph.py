"""The entities of a crate, as RO-Crate 1.1 wants them: a flat list, referring to one another by id."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from protloc.hashing import sha256_value

Ref = dict[str, str]
RUN_TERMS = "https://w3id.org/ro/terms/workflow-run#"
NAMES = ("ParameterConnection", "connection", "resourceUsage", "sha256", "sourceParameter", "targetParameter")
MORE_TERMS = {name: RUN_TERMS + name for name in NAMES}
MORE_TERMS |= {"buildInstructions": "https://codemeta.github.io/terms/buildInstructions"}
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", MORE_TERMS]


class Graph:
    """Entities by id; nothing in them is unknown: what is None is left out."""

    def __init__(self) -> None:
        self._entities: dict[str, dict[str, Any]] = {}
        self._links: dict[str, dict[str, dict[str, None]]] = {}

    def add(self, at: str, kind: str | list[str], **properties: Any) -> Ref:
        """A reference to the entity `at`, which is made unless it is there, and told these properties."""
        entity = self._entities.setdefault(at, {"@id": at, "@type": kind})
        told = {name: value for name, value in properties.items() if value is not None}
        entity.update(
            {name: readable(value) if isinstance(value, str) else value for name, value in told.items()}
        )
        return {"@id": at}

    def link(self, at: Ref, name: str, *targets: Ref) -> None:
        """Let an entity refer to others, besides those that it refers to already."""
        held = self._links.setdefault(at["@id"], {}).setdefault(name, {})
        held.update(dict.fromkeys(target["@id"] for target in targets))

    def retype(self, at: Ref, kind: list[str]) -> None:
        """Give an entity other types."""
        self._entities[at["@id"]]["@type"] = kind

    def kind(self, at: Ref) -> str:
        """The type of an entity, the first if it has several."""
        kind = self._entities[at["@id"]]["@type"]
        return kind if isinstance(kind, str) else kind[0]

    def document(self) -> dict[str, Any]:
        """The whole of ro-crate-metadata.json."""
        entities = [
            entity | {name: _refer(held) for name, held in self._links.get(at, {}).items() if held}
            for at, entity in self._entities.items()
        ]
        return {"@context": CONTEXT, "@graph": entities}


def _refer(held: Iterable[str]) -> Ref | list[Ref]:
    """References to entities, or to the only one."""
    refs = [{"@id": at} for at in held]
    return refs[0] if len(refs) == 1 else refs


def file_id(place: PurePath) -> str:
    """The id of a file at a place below the crate's root: a relative URI, whatever the name holds."""
    return quote(os.fsencode(place.as_posix()))


def local_id(kind: str, *parts: str) -> str:
    """The id of something that is no file of the crate, such as `#tool/probe`."""
    return "#" + "/".join([kind, *map(encoded, parts)])


def encoded(part: str) -> str:
    """Any text as one segment of a URI."""
    return quote(part.encode("utf-8", "surrogatepass"), safe="")


def readable(text: str) -> str:
    """Text as JSON and RDF can have it: bytes of a file name that are no text show as question marks."""
    return text.encode("utf-8", "replace").decode()


def property_value(graph: Graph, name: str, value: bool | int | float | str) -> Ref:
    """A setting with its value; equal ones are one entity."""
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)  # JSON has no other word for it
    at = local_id("value", name, sha256_value(value)[:16])
    return graph.add(at, "PropertyValue", name=name, value=value)
