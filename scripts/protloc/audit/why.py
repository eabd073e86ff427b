"""Why a result is stale, what would make it so, and whether Snakemake would notice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from protloc.audit.digests import Digests
from protloc.audit.judge import Audit
from protloc.audit.study import Record, study_of
from protloc.audit.text import printable
from protloc.audit.verdicts import FINE, Node, Verdict
from protloc.errors import InputError
from protloc.modules import SCRIPTS, library_versions, module_hashes

NOTICED, UNNOTICED = "Snakemake would make it again", "Snakemake would not notice"


class Cause(NamedTuple):
    """What is wrong with some files, whether Snakemake sees it, and the rule to run again if it does not."""

    said: str
    seen: str
    rule: str | None


def explain(file: Path) -> tuple[list[str], bool]:
    """Lines: what is wrong with a result, what to do, and all it depends on. And whether all is well.

    Raises InputError for a file without a record.
    """
    study = study_of(file)
    digests = Digests(study.root)
    audit = Audit(study, digests)
    end = audit.of(file.absolute())
    digests.keep()
    if end.record is None:
        raise InputError(f"{file}: has no record: nothing tells what made it")
    causes: dict[Cause, list[str]] = {}
    for node in audit.nodes.values():
        for cause in _causes(node, end):
            causes.setdefault(cause, []).append(printable(node.name))
    lines = [f"{printable(end.name)} is {end.verdict}"]
    for (said, seen), names in _grouped(causes).items():
        lines.append(f"  {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}:")
        lines.append(f"    {printable(said)}. {seen}.")
    lines += _remedy(causes)
    lines += [
        "it depends on",
        *(f"  {printable(line)}" for line in _dependencies(list(audit.nodes.values()))),
    ]
    return lines, not causes and end.verdict in FINE


def _grouped(causes: dict[Cause, list[str]]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for cause, names in causes.items():
        found.setdefault((cause.said, cause.seen), []).extend(names)
    return found


def _remedy(causes: dict[Cause, list[str]]) -> Iterator[str]:
    rules = dict.fromkeys(cause.rule for cause in causes if cause.rule and cause.seen.startswith(UNNOTICED))
    if rules:
        yield f"to make it true again: snakemake --forcerun {' '.join(rules)}"
    elif any(cause.seen == NOTICED for cause in causes):
        yield "to make it true again: snakemake"


def _causes(node: Node, end: Node) -> Iterator[Cause]:
    """What is wrong with a node by itself."""
    rule = node.record.facts["rule"] if node.record else None
    if node.verdict == Verdict.MODIFIED and node.record:
        yield Cause(node.reasons[0], f"{UNNOTICED}: it keeps no digest of results", rule)
    elif node.verdict in {Verdict.MODIFIED, Verdict.ORPHAN, Verdict.UNRECORDED}:
        newer = node.file and end.file and node.file.stat().st_mtime > end.file.stat().st_mtime
        yield Cause(node.reasons[0], NOTICED if newer else UNNOTICED, rule)
    elif node.verdict == Verdict.MISSING:
        yield Cause(node.reasons[0], NOTICED if node.record else UNNOTICED, rule)
    yield from (Cause(reason, NOTICED, rule) for reason in node.reasons if "was made from another" in reason)
    if node.record:
        yield from _of_project(node.record)


def _of_project(record: Record) -> Iterator[Cause]:
    """How the project differs from the one that made a result, where it is at hand."""
    script, rule = script_of(record), record.facts["rule"]
    if script is None:
        return
    now, then = module_hashes(script), record.facts["code"]
    if changed := sorted(file for file in now.keys() | then.keys() if now.get(file) != then.get(file)):
        yield Cause(f"its code has changed: {', '.join(changed)}", NOTICED, rule)
    here, made = library_versions(now), record.facts["versions"]
    if other := [f"{name} {made[name]}, here {here[name]}" for name in here if made.get(name) != here[name]]:
        yield Cause(f"other versions made it: {'; '.join(other)}", UNNOTICED, rule)


def script_of(record: Record) -> str | None:
    """The script of the rule that made a result, below scripts/; None where the project has none such."""
    scripts = [name for name in record.facts["code"] if "/" not in name]
    return scripts[0] if scripts and (SCRIPTS / scripts[0]).is_file() else None


def _dependencies(nodes: list[Node]) -> Iterator[str]:
    """All that a result depends on, by kind: a change of any of it is one of the result."""
    facts = [node.record.facts for node in nodes if node.record]
    sources = sorted(node.name for node in nodes if not node.inputs)
    params = sorted({f"{each['rule']}.{name}" for each in facts for name in each["params"]})
    code = {file for each in facts for file in each["code"]}
    versions = sorted({f"{name} {number}" for each in facts for name, number in each["versions"].items()})
    yield f"{len(sources)} sources: {', '.join(sources)}"
    yield f"{len(params)} parameters: {', '.join(params)}"
    yield f"{len(code)} files of code"
    yield f"{len(versions)} versions, which Snakemake does not compare: {', '.join(versions)}"
