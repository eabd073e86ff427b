"""Numbers computed from the pixels of an image without a network: the controls that read no weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from protloc.embed.features import constant, handmade
from protloc.embed.images import Image, Images
from protloc.embed.store import Named, write_embeddings
from protloc.parallel import in_order
from protloc.variants import NO_STRATEGY, Variant

ONLY = Variant(NO_STRATEGY)
METHODS: dict[str, Callable[[np.ndarray, float], dict[str, float]]] = {
    "handmade": handmade.compute,
    "constant": constant.compute,
}


def embed_features(images: Images, method: str, path: Path, *, threads: int) -> dict[str, str | float]:
    """Write the embedding file of a method ('handmade' or 'constant'); gives what was measured.

    Raises InputError for an image that cannot be read.
    """
    compute = METHODS[method]
    names = list(compute(np.zeros((2, 64, 64), np.uint16), 1.0))
    footer = {
        "title": method,
        "architecture": "none",
        "feature": json.dumps(names),
        "precision": "float32",
        "dimensions": json.dumps({ONLY.strategy: len(names)}),
    }
    rows = vectors(images.images, compute, threads)
    return {**write_embeddings(rows, images, path, footer), "device": "cpu"}


def vectors(
    images: list[Image], compute: Callable[[np.ndarray, float], dict[str, float]], threads: int
) -> Iterator[Named]:
    """Yield (name, {ONLY: float32 vector}) in the order of the images."""
    of_image = partial(_vector, compute=compute)
    for image, vector in in_order(of_image, images, workers=threads, ahead=2 * threads):
        yield image.name, {ONLY: vector}


def _vector(image: Image, *, compute: Callable) -> np.ndarray:
    return np.array(list(compute(image.read(), image.pixel_size_um).values()), dtype=np.float32)
