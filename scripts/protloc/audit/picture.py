"""The chain of steps as a picture: a box per rule, sources at the left, what people read at the right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from protloc.audit.verdicts import FINE, Node, Verdict

BOX, GAP, ROW = (168, 40), 44, 56  # px
COLOURS = {Verdict.VERIFIED: "#009e73", Verdict.UNCHECKED: "#56b4e9", Verdict.STALE: "#e69f00"}
BAD = "#d55e00"


@dataclass
class Step:
    """A rule, or a source that no rule makes, with all its results."""

    name: str
    nodes: list[Node] = field(default_factory=list)
    after: set[str] = field(default_factory=set)

    @property
    def worst(self) -> Verdict:
        """The verdict that most wants to be looked at."""
        return max((node.verdict for node in self.nodes), key=lambda verdict: (verdict not in FINE, verdict))

    @property
    def seconds(self) -> float:
        """The time that its jobs took, each counted once."""
        records = [node.record for node in self.nodes if node.record]
        jobs = {str(record.facts["outputs"]): record.run for record in records}
        return sum(run.get("seconds", 0.0) for run in jobs.values())


def steps_of(nodes: Mapping[str, Node]) -> dict[str, Step]:
    """The steps by name, each with the steps that its inputs come from."""
    names = {name: node.record.facts["rule"] if node.record else name for name, node in nodes.items()}
    steps: dict[str, Step] = {}
    for name, node in nodes.items():
        if node.verdict != Verdict.UNRECORDED:
            step = steps.setdefault(names[name], Step(names[name]))
            step.nodes.append(node)
            step.after |= {names[child] for child in node.inputs if child in names} - {step.name}
    return steps


def picture(nodes: Mapping[str, Node]) -> Markup:
    """An SVG of the steps, left to right in the order in which they can run."""
    steps = steps_of(nodes)
    columns: dict[int, list[str]] = {}
    for name in steps:
        columns.setdefault(_depth(name, steps, ()), []).append(name)
    at = {
        name: (number * (BOX[0] + GAP), row * ROW + 4)
        for number, depth in enumerate(sorted(columns))
        for row, name in enumerate(sorted(columns[depth]))
    }
    links = [(before, name) for name in steps for before in _nearest(name, steps)]
    lines = [_line(at[before], at[name]) for before, name in links]
    boxes = [_box(steps[name], *place) for name, place in at.items()]
    width = max(left for left, _ in at.values()) + BOX[0] + 2
    height = max(top for _, top in at.values()) + BOX[1] + 4
    size = f'viewBox="-1 0 {width} {height}" width="{width}"'
    return Markup(f'<svg {size} role="img">{"".join(lines + boxes)}</svg>')


def _nearest(name: str, steps: Mapping[str, Step]) -> set[str]:
    """The steps just before a step: not those that others of them come after anyway."""
    before = steps[name].after & steps.keys()
    return before - {far for near in before for far in _all_before(near, steps)}


def _all_before(name: str, steps: Mapping[str, Step]) -> set[str]:
    found: set[str] = set()
    waiting = [*steps[name].after]
    while waiting:
        if (step := waiting.pop()) in steps and step not in found:
            found.add(step)
            waiting += steps[step].after
    return found


def _depth(name: str, steps: Mapping[str, Step], above: tuple[str, ...]) -> int:
    """The longest way to a step from a source; a circle in forged records is cut."""
    before = [other for other in steps[name].after if other in steps and other not in above]
    return 1 + max((_depth(other, steps, (*above, name)) for other in before), default=-1)


def _box(step: Step, left: int, top: int) -> str:
    count = f"{len(step.nodes)} file{'s' if len(step.nodes) > 1 else ''}"
    made = any(node.record for node in step.nodes)
    below = f"{count}, {step.seconds:.1f} s" if made else "source"
    bad = [node for node in step.nodes if node.verdict not in FINE]
    said = f"{below}, {len(bad)} {step.worst}" if bad else below
    colour = COLOURS.get(step.worst, BAD)
    return (
        f"<g><title>{escape(step.name)}: {escape(step.worst)}</title>"
        f'<rect x="{left}" y="{top}" width="{BOX[0]}" height="{BOX[1]}" rx="5"'
        f' fill="{colour}22" stroke="{colour}"/>'
        f'<text x="{left + 8}" y="{top + 17}">{escape(_fit(step.name))}</text>'
        f'<text x="{left + 8}" y="{top + 32}" class="small">{escape(said)}</text></g>'
    )


def _fit(name: str) -> str:
    return name if len(name) <= 22 else f"…{name[-21:]}"


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    x, y = start[0] + BOX[0], start[1] + BOX[1] // 2
    to_x, to_y = end[0], end[1] + BOX[1] // 2
    bend = max(24, (to_x - x) // 2)
    return f'<path d="M{x} {y} C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"/>'
