"""Fields of unequal size in batches of equal size, and their vectors back in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from protloc.embed.fields import Field
from protloc.embed.store import Named

Batch = list[tuple[Field, np.ndarray]]


def by_size(read: Iterable[tuple[Field, np.ndarray]], batch_size: int) -> Iterator[Batch]:
    """Yield batches of up to `batch_size` fields that are equal in shape and µm per px."""
    waiting: dict[tuple, Batch] = defaultdict(list)
    for field, pixels in read:
        size = (*pixels.shape, field.pixel_size_um)
        waiting[size].append((field, pixels))
        if len(waiting[size]) == batch_size:
            yield waiting.pop(size)
    yield from waiting.values()


def restore_order(rows: Iterable[Named], fov_ids: Sequence[str]) -> Iterator[Named]:
    """Yield the rows in the order of `fov_ids`; those that come early wait, as vectors, not as pixels."""
    early, due = {}, iter(fov_ids)
    expected = next(due, None)
    for fov_id, vectors in rows:
        early[fov_id] = vectors
        while expected in early:
            yield expected, early.pop(expected)
            expected = next(due, None)
