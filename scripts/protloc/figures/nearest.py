"""Exact nearest neighbours by cosine similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

DECIMALS = 6  # of a similarity: what differs by less than rounding is a tie, and goes by fov_id


def nearest(
    query: str, ids: Sequence[str], vectors: np.ndarray, genes: Mapping[str, str], count: int
) -> list[tuple[str, float]]:
    """The `count` fields most similar to `query` by cosine, and the similarities, exact.

    Only fields in `genes` (gene by field) are looked at; those of the query's own protein only if there is no
    other protein. Ties go by fov_id.
    """
    others = [name for name in ids if name in genes and genes[name] != genes[query]]
    others = others or [name for name in ids if name in genes and name != query]
    rows = {name: row for row, name in enumerate(ids)}
    matrix = vectors[[rows[query], *(rows[name] for name in others)]].astype(np.float64)
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), np.finfo(float).tiny)
    similarity = np.round(matrix[1:] @ matrix[0], DECIMALS)
    order = np.lexsort((others, -similarity))[:count]
    return [(others[index], float(similarity[index])) for index in order]
