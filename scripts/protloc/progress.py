"""Signs of life from long work."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
LOG_EVERY_S = 60.0


def progress(items: Iterable[Item], *, total: int, unit: str) -> Iterator[Item]:
    """Yield the items under a bar with a rate on a terminal, or a log line a minute elsewhere."""
    started = last = time.monotonic()
    for done, item in enumerate(
        tqdm(items, total=total, unit=f" {unit}", disable=None, leave=False), start=1
    ):
        yield item
        now = time.monotonic()
        if now - last >= LOG_EVERY_S and not sys.stderr.isatty():
            logging.info("%d of %d %s, %.1f a second", done, total, unit, done / (now - started))
            last = now
