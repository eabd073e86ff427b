"""`audit.html`: all verdicts of a study on a page that opens offline, and what a reader asks next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from protloc.audit.picture import picture, steps_of
from protloc.audit.study import Study
from protloc.audit.text import printable, summary
from protloc.audit.verdicts import FINE, MEANINGS, Node, Verdict

SLOWEST = 12
CIRCUMSTANCES = ("host", "system", "gpu", "slurm", "commit", "uncommitted", "lock")


def audit_page(study: Study, nodes: Mapping[str, Node]) -> str:
    """An HTML page: verdicts, the chain of steps, slow steps, where it ran and what is not known."""
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    steps = sorted(steps_of(nodes).values(), key=lambda step: -step.seconds)
    return pages.get_template("page.html").render(
        study=study.name,
        summary=summary(nodes),
        fine=all(node.verdict in FINE for node in nodes.values()),
        meanings=[(verdict, MEANINGS[verdict]) for verdict in Verdict],
        problems=[_row(node) for node in nodes.values() if node.verdict not in FINE],
        picture=picture(nodes),
        slow=[step for step in steps if step.seconds][:SLOWEST],
        total=sum(step.seconds for step in steps),
        where=_where(nodes),
        unknown=_unknown(nodes),
        rows=[_row(node) for node in nodes.values()],
    )


def _row(node: Node) -> dict[str, Any]:
    record = node.record
    run = record.run if record else {}
    return {
        "name": printable(node.name),
        "verdict": node.verdict,
        "fine": node.verdict in FINE,
        "reasons": [printable(reason) for reason in node.reasons],
        "rule": record.facts["rule"] if record else "",
        "digest": record.content["sha256"][:10] if record else "",
        "chain": record.chain[:10] if record else "",
        "seconds": run.get("seconds"),
        "memory": run.get("peak_memory_mb"),
        "rate": run.get("images_per_second"),
    }


def _where(nodes: Mapping[str, Node]) -> list[tuple[str, str, int]]:
    """Each circumstance with its values and how many results have them."""
    found: dict[tuple[str, str], int] = {}
    for node in nodes.values():
        for key in CIRCUMSTANCES:
            if node.record and key in node.record.run:
                said = _words(node.record.run[key])
                found[key, said] = found.get((key, said), 0) + 1
    return [(key, printable(said), count) for (key, said), count in sorted(found.items())]


def _words(value: Any) -> str:
    """A circumstance in words; which job it was is of no use in a list."""
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{key} {part}" for key, part in value.items() if key not in {"job", "step"})


def _unknown(nodes: Mapping[str, Node]) -> list[tuple[str, int]]:
    """Which circumstances are not known of how many results."""
    runs = [node.record.run for node in nodes.values() if node.record]
    missing = {key: sum(key not in run for run in runs) for key in CIRCUMSTANCES if key != "uncommitted"}
    return [(key, count) for key, count in missing.items() if count]
