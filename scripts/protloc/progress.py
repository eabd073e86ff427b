"""Signs of life from long work."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Self, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
LOG_EVERY_S = 60.0
BYTES = ("B", "kB", "MB", "GB", "TB")


class Meter:
    """A bar with a rate on a terminal, or a log line a minute elsewhere; several threads may add to it.

    Bytes (`unit` B) are shown in kB, MB and so on.
    """

    def __init__(self, total: int, unit: str) -> None:
        scaled = {"unit": "B", "unit_scale": True} if unit == "B" else {"unit": f" {unit}"}
        self._bar = tqdm(total=total, disable=None, leave=False, **scaled)
        self._total, self._unit, self._done = total, unit, 0
        self._started = self._last = time.monotonic()
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """So many more are done; below 0, so many were in vain."""
        with self._lock:
            self._bar.update(count)
            self._done += count
            now = time.monotonic()
            if now - self._last >= LOG_EVERY_S and not sys.stderr.isatty():
                logging.info("%s", self._said(self._done / (now - self._started)))
                self._last = now

    def _said(self, rate: float) -> str:
        if self._unit == "B":
            return f"{amount(self._done)} of {amount(self._total)}, {amount(rate)} a second"
        return f"{self._done} of {self._total} {self._unit}, {rate:.1f} a second"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def amount(size: float) -> str:
    """A number of bytes in the unit that suits it, three digits."""
    unit = 0
    while size >= 999.5 and unit < len(BYTES) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {BYTES[unit]}"


def progress(items: Iterable[Item], *, total: int, unit: str, each: int = 1) -> Iterator[Item]:
    """Yield the items under a bar with a rate on a terminal, or a log line a minute elsewhere.

    Each item is `each` of the `total` units.
    """
    with Meter(total, unit) as meter:
        for item in items:
            yield item
            meter.add(each)
