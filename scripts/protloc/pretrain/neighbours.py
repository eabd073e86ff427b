"""How often the nearest neighbours of a field, all of other proteins, tell its localization."""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 5


def accuracy(vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """The share of fields whose nearest neighbours' commonest label is their own, 0 to 1.

    `vectors` are (fields, dimension), `labels` and `groups` integers per field. Neighbours are by cosine
    after centring, never of the same group (protein); of equally common labels the smallest counts.
    """
    centred = vectors - vectors.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(min=1e-12)
    similar = unit @ unit.T
    similar[groups[:, None] == groups[None, :]] = -np.inf
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, :NEIGHBOURS]
    votes = np.eye(labels.max() + 1)[labels[nearest]].sum(axis=1)
    return float((votes.argmax(axis=1) == labels).mean())
