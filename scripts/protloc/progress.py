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


def progress(items: Iterable[Item], *, total: int, unit: str, each: int = 1) -> Iterator[Item]:
    """Yield the items under a bar with a rate on a terminal, or a log line a minute elsewhere.

    Each item is `each` of the `total` units.
    """
    started = last = time.monotonic()
    done = 0
    with tqdm(total=total, unit=f" {unit}", disable=None, leave=False) as bar:
        for item in items:
            yield item
            bar.update(each)
            done += each
            now = time.monotonic()
            if now - last >= LOG_EVERY_S and not sys.stderr.isatty():
                logging.info("%d of %d %s, %.1f a second", done, total, unit, done / (now - started))
                last = now
