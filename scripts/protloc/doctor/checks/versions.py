"""Versions: what is installed is what the lock says, and the same on each machine."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from protloc.doctor.finding import Check, Judgement, Place, bad, ok, unknown
from protloc.modules import PACKAGE, SCRIPTS

LOCK = SCRIPTS.parent / "uv.lock"
OF_THE_BUILD = re.compile(r"nvidia-|cuda-|triton$")  # belong to torch's build, of which there are several
FEW = 4


def judge(place: Place) -> Iterator[Judgement]:
    """The installed distributions against the lock; on a node, against this machine's."""
    installed = place.answer["versions"]
    if place.is_node:
        differ = drift(place.here["versions"], installed)
        beside, fix = (
            "as on this machine",
            "let jobs use this machine's .venv: a shared folder",
        )
    elif LOCK.is_file():
        differ = drift(locked(LOCK), installed)
        beside, fix = "as in uv.lock", "make setup"
    else:
        yield unknown(f"{LOCK} is not there to compare with")
        return
    if differ:
        rest = f" and {len(differ) - FEW} more" if len(differ) > FEW else ""
        yield bad(f"{', '.join(differ[:FEW])}{rest}", fix)
    else:
        yield ok(f"{beside}; Python {place.answer['python']}, torch {installed.get('torch')}")


def drift(expected: Mapping[str, str], installed: Mapping[str, str]) -> list[str]:
    """A line for each distribution that is missing or of another version; local parts, as +cu126, aside."""
    other_build = "+" in installed.get("torch", "")
    lines = []
    for name, version in sorted(expected.items()):
        found = installed.get(name)
        if other_build and OF_THE_BUILD.match(name):
            continue
        if found is None:
            lines.append(f"{name} {version} is missing")
        elif _public(found) != _public(version):
            lines.append(f"{name} is {found}, not {version}")
    return lines


def _public(version: str) -> str:
    return version.partition("+")[0]


def locked(lock: Path) -> dict[str, str]:
    """The distributions that the project needs on this kind of machine, by name, from uv's lock."""
    from packaging.markers import Marker

    packages = tomllib.loads(lock.read_text())["package"]
    found: dict[str, str] = {}
    seen: set[tuple[str, str, str]] = set()
    waiting: list[tuple[dict[str, Any], str]] = [(one, "") for one in packages if one["name"] == PACKAGE]
    while waiting:
        package, extra = waiting.pop()
        if (key := (package["name"], package["version"], extra)) in seen:
            continue
        seen.add(key)
        found[package["name"]] = package["version"]
        extras = package.get("optional-dependencies", {}) | {"": package.get("dependencies", [])}
        for need in extras.get(extra, []):
            if "marker" in need and not Marker(need["marker"]).evaluate():
                continue
            for one in packages:
                if one["name"] == need["name"] and need.get("version", one["version"]) == one["version"]:
                    waiting += [(one, name) for name in ("", *need.get("extra", []))]
    del found[PACKAGE]
    return found


CHECK = Check("versions", judge)
