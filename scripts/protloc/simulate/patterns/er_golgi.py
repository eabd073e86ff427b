"""The secretory pathway: the net of the endoplasmic reticulum, and the ribbon of the Golgi."""

from __future__ import annotations

import numpy as np

from protloc.simulate.layout import Layout
from protloc.simulate.noise import dots, grain, noise, paths
from protloc.simulate.patterns.around import beside
from protloc.simulate.traits import Traits


def er(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """A fine net through the cytoplasm, dense near the nucleus, with the nuclear envelope."""
    net = np.exp(-((grain(rng, layout.shape, 1.9 * traits.scale) / 0.55) ** 2))
    patchy = 1 + 0.3 * noise(rng, layout.shape, 6)
    dense = 0.3 + 0.7 * np.exp(-np.maximum(layout.depth, 0) / (10 + 25 * traits.spread))
    envelope = np.exp(-((layout.depth / 1.6) ** 2)) * layout.body * (1 - layout.mitotic)
    sheet = 0.12 + 0.75 * net * (0.5 + 0.5 * traits.contrast)
    return layout.cytoplasm * sheet * dense * patchy + 0.4 * envelope + 0.04 * layout.nucleus


def golgi(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """A ribbon of short curved pieces on one side of each nucleus, compact or scattered."""
    light = np.zeros(layout.shape, np.float32)
    opening = 0.25 + 0.75 * traits.spread
    points = []
    for cell in layout.living:
        pieces = max(4, rng.poisson(26 * traits.abundance))
        direction = rng.uniform(0, 2 * np.pi) + opening * rng.normal(0, 0.75, pieces)
        y, x = beside(cell, direction, rng.normal(7, 4, pieces))
        points.append(np.stack([*paths(rng, y, x, direction + np.pi / 2, 6, 0.5)]).reshape(2, -1))
    if points:
        y, x = np.concatenate(points, axis=1)
        light = dots(layout.shape, y, x, rng.lognormal(-1.2, 0.9, len(y)), 1.0 * traits.scale)
    sy, sx = layout.scatter(rng, layout.cytoplasm, 0.004 * traits.variant)
    strays = dots(layout.shape, sy, sx, rng.lognormal(-1.3, 0.5, len(sy)), 1.0)
    return np.minimum(light, 2) + strays + 0.02 * layout.body
