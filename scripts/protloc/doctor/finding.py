"""What a check is, what it looks at and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from protloc.config.backbones import Backbone
from protloc.config.settings import Study

FEW = 4


class State(StrEnum):
    """How it stands: what could not be found out is neither good nor bad."""

    OK = "ok"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Judgement:
    """How one thing stands, and what to do if it is bad."""

    state: State
    said: str
    fix: str = ""


def ok(said: str) -> Judgement:
    """A good one."""
    return Judgement(State.OK, said)


def bad(said: str, fix: str) -> Judgement:
    """A bad one, and what to do."""
    return Judgement(State.BAD, said, fix)


def unknown(said: str, fix: str = "") -> Judgement:
    """One that could not be found out."""
    return Judgement(State.UNKNOWN, said, fix)


@dataclass(frozen=True)
class Finding:
    """A row of the table: where, what was checked, how it stands."""

    where: str
    check: str
    judgement: Judgement


@dataclass(frozen=True)
class Need:
    """What jobs ask a partition for, as the profile spells it; 0 where they do not say."""

    cores: int = 0
    mem_mb: int = 0
    gpus: int = 0
    rules: tuple[str, ...] = ()

    @property
    def whose(self) -> str:
        """The rules by name, or the first of them where they are many."""
        rest = f" and {len(self.rules) - FEW} more" if len(self.rules) > FEW else ""
        return f"{', '.join(self.rules[:FEW])}{rest}" or "no rule of this study"


@dataclass(frozen=True)
class Place:
    """A machine as a probe saw it, beside what is wanted of it.

    `answer` is what `probe.look` gives there, `here` what it gives on this machine. A node's probe began and
    ended within `window`, by this machine's clock, s since the epoch.
    """

    name: str
    answer: Mapping[str, Any]
    here: Mapping[str, Any]
    study: Study
    backbones: Mapping[str, Backbone]
    need: Need = field(default_factory=Need)
    window: tuple[float, float] | None = None

    @property
    def is_node(self) -> bool:
        """Whether it was reached through Slurm."""
        return self.window is not None


@dataclass(frozen=True)
class Check:
    """One question: its name in the table, and what answers it."""

    name: str
    judge: Callable[[Place], Iterator[Judgement]]

    def findings(self, place: Place) -> Iterator[Finding]:
        """The rows of this check; one that fails by itself has found nothing out."""
        try:
            for judgement in self.judge(place):
                yield Finding(place.name, self.name, judgement)
        except Exception as error:
            said = f"the check itself failed: {type(error).__name__}: {error}"
            yield Finding(place.name, self.name, unknown(said))
