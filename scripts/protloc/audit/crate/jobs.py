"""The runs of steps that a study's records tell of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from protloc.audit.study import Record, Study, read_record
from protloc.errors import InputError
from protloc.facts import record_path
from protloc.hashing import sha256_value

SHAPE = {"rule": str, "wildcards": dict, "outputs": dict, "code": dict, "versions": dict}
Scalar = bool | int | float | str


@dataclass(frozen=True)
class Job:
    """One run of a step: the records of its results share their facts and circumstances."""

    facts: dict[str, Any]
    run: dict[str, Any]
    records: tuple[Record, ...]

    @property
    def key(self) -> str:
        """What tells it from other runs, hexadecimal."""
        return sha256_value([self.facts, self.run])[:16]

    @property
    def title(self) -> str:
        """Its rule and wildcards, in a line."""
        return " ".join([self.facts["rule"], *map(str, self.facts["wildcards"].values())])

    @property
    def settings(self) -> dict[str, Any]:
        """Its parameters, wildcards among them."""
        return {**self.facts["params"], **self.facts["wildcards"]}

    def inputs(self) -> Iterator[tuple[str, str, str]]:
        """The role of each input, its name as a file and its digest; all of `splits[0]`, ... are `splits`."""
        for fact in self.facts["inputs"]:
            yield re.sub(r"\[\d+\]$", "", str(fact.get("name"))) or "input", fact["path"], fact["sha256"]

    def outputs(self) -> Iterator[tuple[str, Record]]:
        """The role of each result, and its record."""
        roles = {path: role for role, path in self.facts["outputs"].items()}
        for record in self.records:
            yield roles.get(record.output, "output"), record

    def moment(self, name: str) -> str | None:
        """When it `started` or `ended`, ISO 8601; None if that is unknown."""
        try:
            return datetime.fromisoformat(self.run[name]).isoformat()
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def state(self) -> str | None:
        """The commit of the project that it ran with, and a digest of what was not committed."""
        commit, uncommitted = self.run.get("commit"), self.run.get("uncommitted")
        if not isinstance(commit, str):
            return None
        return commit + (f"+uncommitted.{uncommitted[:16]}" if isinstance(uncommitted, str) else "")


def jobs_of(study: Study) -> list[Job]:
    """Every run that made a result of the study, or an input of one that lies beside it; sorted.

    Raises InputError for a record that cannot be believed.
    """
    found: dict[str, list[Record]] = {}
    for record in _with_outside(study):
        _check(record)
        found.setdefault(sha256_value([record.facts, record.run]), []).append(record)
    jobs = [Job(records[0].facts, records[0].run, tuple(records)) for records in found.values()]
    return sorted(jobs, key=lambda job: (job.moment("started") or "", job.records[0].output))


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Scalar]]:
    """The single values in nested settings by dotted name; lists and null as JSON."""
    if isinstance(value, dict) and (value or not name):
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else key)
    else:
        yield name, value if isinstance(value, Scalar) else json.dumps(value)


def _with_outside(study: Study) -> Iterator[Record]:
    """The study's records, and those beside inputs that lie outside its folder."""
    yield from study.records.values()
    seen, waiting = set(study.records), list(_names(study.records.values()))
    while waiting:
        if (name := waiting.pop()) in seen:
            continue
        seen.add(name)
        file = study.located(name)
        if file is not None and record_path(file).is_file():
            record = read_record(record_path(file))
            if record.output == name:
                yield record
                waiting += _names([record])


def _names(records: Iterable[Record]) -> Iterator[str]:
    return (fact["path"] for record in records for fact in record.facts["inputs"])


def _check(record: Record) -> None:
    """Raise InputError for a record that was edited, or whose facts are of another kind than ours."""
    fault = record.fault
    if not fault:
        facts = record.facts
        fits = all(isinstance(facts.get(name), kind) for name, kind in SHAPE.items())
        plain = (facts[name].values() for name in ("outputs", "code", "versions")) if fits else ()
        if not fits or not all(isinstance(value, str) for values in plain for value in values):
            fault = "its facts have values of the wrong kind"
    if fault:
        raise InputError(f"{record.path}: {fault}; see protloc audit, and make the result again")
