"""Vectors of one pass over the images, into one embedding file for each of their names."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from protloc.embed.images import Images
from protloc.progress import progress
from protloc.vectors import VectorWriter

Named = tuple[str, Mapping[str, np.ndarray]]


def write_embeddings(
    rows: Iterable[Named], images: Images, paths: Mapping[str, Path], footers: Mapping[str, Mapping[str, str]]
) -> dict[str, float]:
    """Write rows (id of the image, vectors by name) to the file of each name; gives the measured rate.

    Raises InputError for no rows or for a vector that is not finite.
    """
    started, total = time.perf_counter(), len(images.images)
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(VectorWriter(path, images.table, footers[name]))
            for name, path in paths.items()
        }
        for image, vectors in progress(rows, total=total, unit="images"):
            for name, writer in writers.items():
                writer.add(image, vectors[name])
    return {"images_per_second": round(total / (time.perf_counter() - started), 1)}
