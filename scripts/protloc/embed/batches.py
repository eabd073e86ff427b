"""Images of unequal size in batches of equal size, and their vectors back in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from protloc.embed.images import Image
from protloc.embed.store import Named

Batch = list[Image]


def by_size(images: Iterable[Image], batch_size: int) -> Iterator[Batch]:
    """Yield batches of up to `batch_size` images that are equal in shape and µm per px."""
    waiting: dict[tuple, Batch] = defaultdict(list)
    for image in images:
        size = (image.height, image.width, image.pixel_size_um)
        waiting[size].append(image)
        if len(waiting[size]) == batch_size:
            yield waiting.pop(size)
    yield from waiting.values()


def read_batch(batch: Batch, at_least: int = 1) -> np.ndarray:
    """The counts of a batch, uint16 (images, 2, height, width), the last repeated up to `at_least`."""
    counts = [image.read() for image in batch]
    return np.stack(counts + counts[-1:] * (at_least - len(batch)))


def restore_order(rows: Iterable[Named], names: Sequence[str]) -> Iterator[Named]:
    """Yield the rows in the order of `names`; those that come early wait, as vectors, not as pixels."""
    early, due = {}, iter(names)
    expected = next(due, None)
    for name, vectors in rows:
        early[name] = vectors
        while expected in early:
            yield expected, early.pop(expected)
            expected = next(due, None)
