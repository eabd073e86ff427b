"""A folder of results as its records describe it: where each result lies, and what it was made from."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from protloc.errors import InputError
from protloc.facts import PROJECT, SUFFIX, chain_of, record_path
from protloc.hashing import sha256_value
from protloc.modules import SCRIPTS

MARK = "config.yaml"  # every study has one, and its record says what the folder was called
ASIDE = {"logs": ".log", "benchmarks": ".tsv"}  # folders of Snakemake's, and what lies there
KEPT = {
    ".audit",
    ".checkpoints",
    ".checkpoint.safetensors",
    ".kept",
    ".kept_0",
    ".run.json",
}  # not for readers
GROUPS = ("params", "outputs", "code", "versions", "wildcards")  # of a record's facts
HIDDEN = (".history.jsonl", ".lock", ".lock.guard")  # so end the names of others


@dataclass(frozen=True)
class Record:
    """A record beside a result; `fault` says why it cannot be believed, if so."""

    path: Path
    content: dict[str, Any]
    fault: str | None = None

    @property
    def chain(self) -> str:
        """What commits to the result and all below it; empty if the record cannot be read."""
        return self.content["chain"]

    @property
    def output(self) -> str:
        """The name of the result, as Snakemake knew it."""
        return self.content["output"]

    @property
    def facts(self) -> dict[str, Any]:
        """What determines the result."""
        return self.content["facts"]

    @property
    def run(self) -> dict[str, Any]:
        """The circumstances under which it was made."""
        return self.content["run"]

    @property
    def file(self) -> Path:
        """Where the result should be."""
        return self.path.with_name(self.path.name.removesuffix(SUFFIX))


@dataclass(frozen=True)
class Study:
    """A study's folder of results, wherever it lies now; `records` by the name of their result.

    `name` is what the folder was called when the results were made, such as `results/demo`; `strays` are
    records that speak of a result elsewhere.
    """

    root: Path
    name: str
    records: dict[str, Record]
    strays: tuple[Record, ...]

    @cached_property
    def workdir(self) -> Path | None:
        """The folder in which Snakemake ran; None where the results lie elsewhere now."""
        parts = PurePosixPath(self.name).parts
        below = bool(parts) and self.root.parts[-len(parts) :] == parts
        return Path(*self.root.parts[: -len(parts)]) if below else None

    def located(self, name: str) -> Path | None:
        """Where an input lies; None if it is not to be found, or its name leads out of all known folders."""
        if name in self.records:
            return self.records[name].file
        base, inner = self.workdir, name
        if name.startswith(f"{PROJECT}/"):
            base, inner = SCRIPTS.parent, name.removeprefix(f"{PROJECT}/")
        if base is None or PurePosixPath(inner).is_absolute():
            return None
        try:
            path = base / inner
            inside = path.resolve().is_relative_to(base.resolve())
            return path if inside and (path.is_file() or path.is_dir()) else None
        except (OSError, ValueError):  # a name that no file can have
            return None

    def files(self) -> Iterator[Path]:
        """Every file below the root that ought to have a record, sorted; links are not followed."""
        return (path for path in _walk(self.root) if not self._aside(path))

    def _aside(self, path: Path) -> bool:
        """Whether a file belongs to no step's results: records, logs, what is kept for a rerun."""
        inner = path.relative_to(self.root)
        if inner.parts[0] in ASIDE:
            return path.suffix == ASIDE[inner.parts[0]] and not path.is_symlink()
        hidden = path.name.startswith(".") and path.name.endswith(HIDDEN)
        return path.name.endswith(SUFFIX) or hidden or bool(KEPT & set(inner.parts))


def open_study(root: Path) -> Study:
    """The study whose results lie below `root`. Raises InputError if there is no record."""
    root = root.absolute()
    found = [read_record(path) for path in _walk(root) if path.name.endswith(SUFFIX)]
    if not found:
        raise InputError(f"{root}: holds no record of a result; name a folder such as results/demo")
    inner = {record.path: record.file.relative_to(root).as_posix() for record in found}
    names = Counter(
        record.output.removesuffix(inner[record.path]).rstrip("/")
        for record in found
        if record.output.endswith(inner[record.path])
    )
    name = min(names, key=lambda name: (-names[name], name)) if names else ""
    at_home = {f"{name}/{inner[record.path]}": record for record in found}
    records = {key: record for key, record in at_home.items() if record.output == key or not record.chain}
    return Study(root, name, records, tuple(record for key, record in at_home.items() if key not in records))


def study_of(file: Path) -> Study:
    """The study that a file or folder lies in. Raises InputError if it lies in none."""
    file = file.absolute()
    for folder in (file, *file.parents):
        if record_path(folder / MARK).is_file():
            return open_study(folder)
    raise InputError(f"{file}: lies in no folder of results (none above it has a {MARK}{SUFFIX})")


def read_record(path: Path) -> Record:
    """A record, whatever its state: what cannot be read is a fault, not an error."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        facts = content["facts"]
        texts = [content[key] for key in ("output", "sha256", "chain", "seal")] + [facts["rule"]]
        texts += [fact[key] for fact in facts["inputs"] for key in ("name", "path", "sha256")]
        texts += facts["outputs"].values()
        groups = [content["run"]] + [facts[key] for key in GROUPS]
        fits = all(isinstance(text, str) for text in texts)
        fits = fits and all(isinstance(group, dict) for group in groups)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return _unreadable(path, f"its record cannot be read ({error})")
    if not fits:
        return _unreadable(path, "its record has values of the wrong kind")
    if chain_of(content["sha256"], facts) != content["chain"]:
        return Record(path, content, "its record was edited: the chain does not follow from the facts")
    unsealed = {key: value for key, value in content.items() if key != "seal"}
    if sha256_value(unsealed) != content["seal"]:
        return Record(path, content, "its record was edited: the seal does not follow from the rest")
    return Record(path, content)


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def _unreadable(path: Path, fault: str) -> Record:
    name = path.name.removesuffix(SUFFIX)
    facts: dict[str, Any] = {key: {} for key in GROUPS}
    facts |= {"rule": "?", "inputs": []}
    return Record(path, {"output": name, "sha256": "", "chain": "", "facts": facts, "run": {}}, fault)
