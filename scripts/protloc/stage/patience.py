"""When a request is made again, after how long, and how often that happened."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from protloc.errors import InputError

Result = TypeVar("Result")


class Again(Exception):
    """A fault that may pass. `wait_s` is what the server asks for; `gained`: something arrived before it."""

    def __init__(self, reason: str, wait_s: float | None = None, gained: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.wait_s, self.gained = reason, wait_s, gained


class Wrong(Again):
    """Something else came than was expected: worth a few more tries. `said` is the line if it stays so."""

    def __init__(self, reason: str, said: str) -> None:
        super().__init__(reason, gained=True)
        self.said = said


class GivenUp(InputError):
    """A fault that did not pass: there is no use in trying other files now."""


class Stopped(Exception):
    """Another file's fault has ended the work."""


@dataclass
class Patience:
    """How long is waited for what, s, and what had to be tried again."""

    tries: int = 8  # in a row in which nothing arrived
    wrong_tries: int = 3  # in which something else arrived than was expected
    first_s: float = 0.5  # doubled each time, and drawn between half and all of it
    longest_s: float = 60.0
    asked_s: float = 900.0  # most that a server may ask for
    connect_s: float = 15.0
    silent_s: float = 30.0  # without a byte
    slow_s: float = 60.0  # over which fewer than `least` bytes a second are as good as none
    least: float = 1000.0
    retried: Counter[str] = field(default_factory=Counter)
    stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def until_done(self, step: Callable[[], Result], what: str) -> Result:
        """The result of `step`, called again as long as it raises Again; raises GivenUp in the end."""
        fruitless, wrong = 0, 0
        while True:
            self.check()
            try:
                return step()
            except Again as again:
                if isinstance(again, Wrong):
                    wrong += 1
                    if wrong >= self.wrong_tries:
                        raise InputError(again.said) from again
                fruitless = 1 if again.gained else fruitless + 1
                if fruitless >= self.tries:
                    raise GivenUp(
                        f"{what}: {again.reason}, {fruitless} times in a row; what has arrived is kept: "
                        "run again later"
                    ) from again
                self.wait(self._delay(fruitless, again, what))
                with self._lock:
                    self.retried[again.reason] += 1

    def check(self) -> None:
        """Raise Stopped if the work is to end."""
        if self.stopped.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep, unless the work is to end."""
        if self.stopped.wait(seconds):
            raise Stopped

    def _delay(self, fruitless: int, again: Again, what: str) -> float:
        asked_s = again.wait_s or 0.0
        if asked_s > self.asked_s:
            raise GivenUp(
                f"{what}: {again.reason}: the server asks to wait for {asked_s:.0f} s; run again then"
            ) from again
        return max(asked_s, random.uniform(0.5, 1) * min(self.longest_s, self.first_s * 2 ** (fruitless - 1)))
