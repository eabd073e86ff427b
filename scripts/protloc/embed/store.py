"""Vectors of one pass over the images, into one embedding file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from protloc.embed.images import Images
from protloc.progress import progress
from protloc.variants import Variant
from protloc.vectors import VectorWriter

Named = tuple[str, Mapping[Variant, np.ndarray]]


def write_embeddings(
    rows: Iterable[Named], images: Images, path: Path, footer: Mapping[str, str]
) -> dict[str, float]:
    """Write rows (id of the image, vectors by variant) to an embedding file; gives the measured rate.

    Raises InputError for no rows or for a vector that is not finite.
    """
    started, total = time.perf_counter(), len(images.images)
    with VectorWriter(path, images.table, images.footer | footer) as writer:
        for image, vectors in progress(rows, total=total, unit="images"):
            for variant, vector in vectors.items():
                writer.add(image, variant, vector)
    return {"images_per_second": round(total / (time.perf_counter() - started), 1)}
