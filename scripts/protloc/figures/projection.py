"""UMAP (McInnes et al. 2018): vectors laid out in the plane so that neighbours stay neighbours."""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np

NEIGHBOURS = 15  # umap's default
EPOCHS = 200  # umap's own choice for large sets; its 500 for small ones look the same at twice the time
SEED = 0
ROWS = 512  # vectors that are compared with all others at once


def too_few(count: int) -> bool:
    """Whether `count` vectors are too few to have the neighbours that UMAP asks for."""
    return count <= NEIGHBOURS


def project(vectors: np.ndarray) -> np.ndarray:
    """Places of `vectors` (cells, dimension) by cosine: float32 (cells, 2), the same for the same vectors.

    More than NEIGHBOURS of them, none of zeros, not all alike. Their neighbours are found here, exactly:
    umap's own search takes seven times as long as all the rest.
    """
    umap = _import_umap()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    with warnings.catch_warnings():
        # Without a search index no vector can be added later; none is.
        warnings.filterwarnings("ignore", message="precomputed_knn")
        reducer = umap.UMAP(
            metric="cosine",
            n_neighbors=NEIGHBOURS,
            precomputed_knn=nearest_by_cosine(unit, NEIGHBOURS),
            init="pca",
            n_epochs=EPOCHS,
            random_state=SEED,
            n_jobs=1,
        )
        return reducer.fit_transform(unit)


def _import_umap() -> ModuleType:
    """The package umap, on one thread: a sum over several depends on how many there are.

    pynndescent compiles its search for neighbours as it is imported, for 40 s of CPU. As they are found here,
    no function of it is called, and it is imported without being compiled.
    """
    import numba

    numba.config.DISABLE_JIT, compiled = True, numba.config.DISABLE_JIT
    try:
        import pynndescent  # noqa: F401
    finally:
        numba.config.DISABLE_JIT = compiled
    import umap

    numba.set_num_threads(1)
    return umap


def nearest_by_cosine(unit: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the `count` nearest of each unit vector and their distances, itself first: (cells, count) each.

    Equal distances go by row.
    """
    rows, distances = [], []
    for start in range(0, len(unit), ROWS):
        block = np.maximum(1 - unit[start : start + ROWS] @ unit.T, 0)
        own = np.arange(len(block))
        block[own, start + own] = -1  # before its duplicates
        nearest = np.argsort(block, axis=1, kind="stable")[:, :count]
        rows.append(nearest)
        distances.append(np.maximum(np.take_along_axis(block, nearest, axis=1), 0))
    return np.concatenate(rows), np.concatenate(distances)
