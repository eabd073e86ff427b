"""Mitochondria: worm-like tubes in the cytoplasm."""

from __future__ import annotations

import numpy as np

from protloc.simulate.layout import Layout
from protloc.simulate.noise import blur, paths, splat
from protloc.simulate.traits import Traits


def mitochondria(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """Curved tubes about 0.5 µm wide and 2-8 µm long, crowded near the nucleus; short where fragmented."""
    nearness = np.exp(-np.maximum(layout.depth, 0) / (18 + 45 * traits.spread))
    y, x = layout.scatter(rng, layout.cytoplasm * nearness, 0.015 * traits.abundance**0.3)
    length = int((14 + 40 * traits.variant) * traits.scale)
    points = paths(rng, y, x, rng.uniform(0, 2 * np.pi, len(y)), length, 0.17)
    brightness = np.repeat(rng.lognormal(0, 0.3, len(y)), length)
    tubes = blur(np.minimum(splat(layout.shape, points[0].ravel(), points[1].ravel(), brightness), 1.8), 0.9)
    return 1.6 * tubes * layout.cytoplasm + 0.04 * layout.body
