"""Round things in the cytoplasm: vesicles, and aggregates larger than they."""

from __future__ import annotations

import numpy as np

from protloc.simulate.layout import Layout
from protloc.simulate.noise import dots, grain, noise
from protloc.simulate.traits import Traits


def vesicles(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """Tens to hundreds of small spots per cell, of two sizes, near the nucleus or all over the cytoplasm."""
    nearness = np.exp(-np.maximum(layout.depth, 0) / (6 + 60 * traits.spread**2))
    density = layout.cytoplasm * nearness * np.clip(1 + 0.6 * noise(rng, layout.shape, 10), 0, None) / 2
    light = 0.05 * layout.body
    for share, sigma in ((1.0, 0.85), (0.25, 1.5)):
        y, x = layout.scatter(rng, density, 0.045 * share * traits.abundance)
        light += dots(layout.shape, y, x, rng.lognormal(-0.8, 0.55, len(y)), sigma * traits.scale)
    return np.minimum(light, 2)


def big_aggregates(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """One to a few large bright lumps per cell, in some cells none."""
    y, x = layout.scatter(rng, layout.cytoplasm + 0.15 * layout.nucleus, 0.0006 * traits.abundance)
    light = np.zeros(layout.shape, np.float32)
    size = (2.2 + 1.6 * traits.variant) * traits.scale
    for _ in range(3):
        jitter = rng.normal(0, size, (2, len(y)))
        light += dots(layout.shape, y + jitter[0], x + jitter[1], rng.lognormal(-0.3, 0.4, len(y)), size)
    lumpy = 1 + 0.25 * grain(rng, layout.shape, 1.8)
    return np.minimum(light * lumpy, 1.8) + 0.08 * layout.body
