"""Fields of unequal size in batches of equal size, and their vectors back in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from protloc.embed.store import Named
from protloc.fields import Field

Batch = list[Field]


def by_size(fields: Iterable[Field], batch_size: int) -> Iterator[Batch]:
    """Yield batches of up to `batch_size` fields that are equal in shape and µm per px."""
    waiting: dict[tuple, Batch] = defaultdict(list)
    for field in fields:
        size = (field.height, field.width, field.pixel_size_um)
        waiting[size].append(field)
        if len(waiting[size]) == batch_size:
            yield waiting.pop(size)
    yield from waiting.values()


def read_batch(batch: Batch, root: Path, at_least: int = 1) -> np.ndarray:
    """The counts of a batch, uint16 (fields, 2, height, width), the last field repeated up to `at_least`."""
    counts = [field.read(root) for field in batch]
    return np.stack(counts + counts[-1:] * (at_least - len(batch)))


def restore_order(rows: Iterable[Named], fov_ids: Sequence[str]) -> Iterator[Named]:
    """Yield the rows in the order of `fov_ids`; those that come early wait, as vectors, not as pixels."""
    early, due = {}, iter(fov_ids)
    expected = next(due, None)
    for fov_id, vectors in rows:
        early[fov_id] = vectors
        while expected in early:
            yield expected, early.pop(expected)
            expected = next(due, None)
