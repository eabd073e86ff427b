"""Numbers computed from the pixels of a field without a network: the controls that read no weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from protloc.embed.features import constant, handmade
from protloc.embed.store import Named, write_embeddings
from protloc.fields import Field, good_fields
from protloc.parallel import in_order

METHODS: dict[str, Callable[[np.ndarray, float], dict[str, float]]] = {
    "handmade": handmade.compute,
    "constant": constant.compute,
}


def embed_features(
    fovs: pd.DataFrame, root: Path, method: str, path: Path, *, threads: int
) -> dict[str, str | float]:
    """Write the embedding file of a method ('handmade' or 'constant'); gives what was measured.

    `fovs` is the table of that name, its keys lie below `root`. Raises InputError for a field that cannot be
    read.
    """
    fields, compute = good_fields(fovs), METHODS[method]
    names = list(compute(np.zeros((2, 64, 64), np.uint16), 1.0))
    footer = {
        "title": method,
        "architecture": "none",
        "feature": json.dumps(names),
        "precision": "float32",
        "dimension": str(len(names)),
    }
    rows = vectors(fields, root, compute, threads)
    return {**write_embeddings(rows, len(fields), {"vectors": path}, {"vectors": footer}), "device": "cpu"}


def vectors(
    fields: list[Field], root: Path, compute: Callable[[np.ndarray, float], dict[str, float]], threads: int
) -> Iterator[Named]:
    """Yield (fov_id, {"vectors": float32 vector}) in the order of the fields."""
    of_field = partial(_vector, root=root, compute=compute)
    for field, vector in in_order(of_field, fields, workers=threads, ahead=2 * threads):
        yield field.fov_id, {"vectors": vector}


def _vector(field: Field, *, root: Path, compute: Callable) -> np.ndarray:
    return np.array(list(compute(field.read(root), field.pixel_size_um).values()), dtype=np.float32)
