"""An audit as text: a line per verdict, and the tree of what a result was made from, on one screen."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping

from protloc.audit.verdicts import FINE, Node, Verdict

COLOURS = {
    Verdict.VERIFIED: "32", Verdict.UNCHECKED: "36", Verdict.STALE: "33", Verdict.ORPHAN: "35",
    Verdict.UNRECORDED: "35", Verdict.MODIFIED: "31", Verdict.MISSING: "31",
}  # fmt: skip
WIDTH = max(map(len, Verdict))
ALIKE = 4  # so many inputs of one rule and verdict are shown as one
FEW_ABOVE = 3
FEW = 8  # up to so many stale results are named one by one


def printable(name: str) -> str:
    """A name that moves no cursor and breaks no line: what cannot be printed is escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)


def coloured(verdict: Verdict, colour: bool) -> str:
    """A verdict in a column of its own."""
    text = f"{verdict:<{WIDTH}}"
    return f"\x1b[{COLOURS[verdict]}m{text}\x1b[0m" if colour else text


def tree(name: str, nodes: Mapping[str, Node], prefix: str, colour: bool) -> Iterator[str]:
    """Lines: a result, and below it, indented, what it was made from; each is unfolded once.

    Inputs of one rule with one verdict are unfolded for the first of them. `prefix` is cut from names.
    """
    shown: set[str] = set()

    def lines(name: str, depth: int) -> Iterator[str]:
        shown.add(name)
        yield _line(nodes[name], depth, prefix, colour)
        again = [child for child in dict.fromkeys(nodes[name].inputs) if child in shown]
        for group in _groups(nodes[name], nodes):
            new = [child for child in group if child not in shown]
            if new and len(group) < ALIKE:
                for child in new:
                    if child not in shown:
                        yield from lines(child, depth + 1)
            elif new:
                shown.update(new[1:])
                yield from lines(new[0], depth + 1)
                verdict = nodes[new[0]].verdict
                yield _beside(depth + 1, f"and {len(new) - 1} more like it, {verdict}")
        if again:
            names = [printable(child.removeprefix(prefix)) for child in again]
            rest = f" and {len(names) - FEW_ABOVE} more" if len(names) > FEW_ABOVE else ""
            yield _beside(depth + 1, f"and of the above: {', '.join(names[:FEW_ABOVE])}{rest}")

    yield from lines(name, 0)


def _groups(node: Node, nodes: Mapping[str, Node]) -> Iterator[list[str]]:
    """The inputs of a node: those of one rule with one verdict that says nothing new together."""
    groups: dict[object, list[str]] = {}
    for name in dict.fromkeys(node.inputs):
        child = nodes[name]
        alike = child.record and child.verdict in FINE | {Verdict.STALE}
        groups.setdefault((child.record.facts["rule"], child.verdict) if alike else name, []).append(name)
    yield from groups.values()


def problems(nodes: Mapping[str, Node], prefix: str, colour: bool) -> Iterator[str]:
    """Lines: every node that is not fine, and why; of what merely rests on these, how many by rule."""
    for verdict in (Verdict.MODIFIED, Verdict.MISSING, Verdict.UNRECORDED, Verdict.ORPHAN):
        yield from (_line(node, 0, prefix, colour) for node in nodes.values() if node.verdict == verdict)
    stale = [node for node in nodes.values() if node.verdict == Verdict.STALE]
    if len(stale) <= FEW:
        yield from (_line(node, 0, prefix, colour) for node in stale)
    else:
        rules = Counter(node.record.facts["rule"] for node in stale if node.record)
        by_rule = ", ".join(f"{rule} {count}" for rule, count in rules.items())
        said = f"{len(stale)} results rest on what is not what it was: {by_rule}"
        yield f"{coloured(Verdict.STALE, colour)} {printable(said)}"


def summary(nodes: Mapping[str, Node]) -> str:
    """How many there are of each verdict."""
    counts = Counter(node.verdict for node in nodes.values())
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]) or "nothing"


def _line(node: Node, depth: int, prefix: str, colour: bool) -> str:
    rule = f" [{node.record.facts['rule']}]" if node.record else ""
    why = f": {node.reasons[0].replace(prefix, '')}" if node.reasons else ""
    more = f" (and {len(node.reasons) - 1} more)" if len(node.reasons) > 1 else ""
    said = printable(f"{node.name.removeprefix(prefix)}{rule}{why}{more}")
    return f"{coloured(node.verdict, colour)} {'  ' * depth}{said}"


def _beside(depth: int, text: str) -> str:
    return f"{'':{WIDTH}} {'  ' * depth}{text}"


def wants_colour() -> bool:
    """Whether standard output is a terminal whose user has not declined colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
