"""The fields of view to embed, and their way through a pool of threads in a fixed order."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from protloc.images import read_field

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Field:
    """A good field of view as `fovs.parquet` lists it; height and width in px."""

    fov_id: str
    key: str
    sha256: str
    height: int
    width: int
    pixel_size_um: float

    def read(self, root: Path) -> np.ndarray:
        """Its counts, uint16 (2, height, width), read below `root` and checked against the digest."""
        return read_field(root, self.key, self.sha256)


def good_fields(fovs: pd.DataFrame) -> list[Field]:
    """The fields of the table `fovs` whose status is `ok`, by id, whatever the order of its rows."""
    good = fovs[fovs["status"] == "ok"].sort_values("fov_id")
    columns = good[[field.name for field in dataclasses.fields(Field)]]
    return [Field(*row) for row in columns.itertuples(index=False)]


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with its result, in the items' order, computed by threads.

    At most `ahead` results wait to be consumed, so memory does not grow with the number of items. The first
    error ends the work and is raised.
    """
    pool = ThreadPoolExecutor(workers)
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > ahead:
                first, result = waiting.popleft()
                yield first, result.result()
        for first, result in waiting:
            yield first, result.result()
    finally:
        pool.shutdown(cancel_futures=True)
