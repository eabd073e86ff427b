"""The facts of a step: all that determines what it makes, and nothing that varies from run to run."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protloc.errors import InputError
from protloc.hashing import sha256_path, sha256_value
from protloc.modules import SCRIPTS, library_versions

SUFFIX = ".record.json"
PROJECT = "<project>"
SHIPPED = ("config", "workflow/report")  # what steps read of the project itself: weights, tables, captions
HOW = "how"  # the parameter of a rule that says how, not what: folders, sizes of batches
CODE = "code"


def record_path(result: Path) -> Path:
    """Where the record of a result lies."""
    return result.with_name(result.name + SUFFIX)


def facts_of(snakemake: Any) -> dict[str, Any]:
    """What determines the outputs of a job: rule, wildcards, parameters, inputs, code, versions.

    An input comes with its digest and, where it has a record, with the chain that commits to all below it.
    """
    params = json.loads(json.dumps(dict(snakemake.params.items()), default=str))
    code = params.pop(CODE, {})
    params.pop(HOW, None)
    return {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "params": params,
        "inputs": [
            {"name": name, "path": shown(path), **_content(Path(path))}
            for name, path in members(snakemake.input)
        ],
        "outputs": {name: shown(path) for name, path in snakemake.output.items()},
        "code": code,
        "versions": {"python": platform.python_version(), **library_versions(code)},
    }


def chain_of(digest: str, facts: dict[str, Any]) -> str:
    """The one digest that commits to a result with this digest and to everything below it."""
    return sha256_value([digest, facts])


def members(named: Any) -> Iterator[tuple[str, str]]:
    """Each file with its name: `splits[1]` is the second of those named `splits`, `[0]` the first unnamed."""
    items = list(named.items())
    of_names = sum(1 if isinstance(value, str) else len(value) for _, value in items)
    for number in range(len(named) - of_names):  # those without a name come first
        yield f"[{number}]", str(named[number])
    for name, value in items:
        if isinstance(value, str):
            yield name, value
        else:
            yield from ((f"{name}[{number}]", str(path)) for number, path in enumerate(value))


def shown(path: str) -> str:
    """A path as a record has it, the same on any machine: below the working folder or the project's."""
    if not Path(path).is_absolute():
        return Path(path).as_posix()
    shipped = [(SCRIPTS.parent / name, f"{PROJECT}/{name}/") for name in SHIPPED]
    for root, prefix in (*shipped, (Path.cwd(), "")):
        if Path(path).is_relative_to(root):
            return prefix + Path(path).relative_to(root).as_posix()
    return path


def _content(path: Path) -> dict[str, str]:
    facts = {"sha256": sha256_path(path)}
    record = record_path(path)
    if record.exists():
        try:
            facts["chain"] = json.loads(record.read_text())["chain"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{record}: not a readable record ({error}); make {path} again") from error
    return facts
