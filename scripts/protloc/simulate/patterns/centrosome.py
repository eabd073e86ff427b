"""Centrosomes: one or two dots beside each nucleus, two poles in dividing cells."""

from __future__ import annotations

import numpy as np

from protloc.simulate.cells import Cell
from protloc.simulate.layout import Layout
from protloc.simulate.noise import dots
from protloc.simulate.patterns.around import beside
from protloc.simulate.traits import Traits


def centrosome(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """One or two dots per cell, at times amid a cloud of satellites, over a faint cell."""
    y, x, height = [], [], []
    for cell in layout.cells_at:
        if cell.state == "dead":
            continue
        place, brightness = _poles(cell, rng) if cell.mitotic else _pair(cell, rng)
        cloud = rng.poisson(7 * traits.abundance) if traits.variant > 0.5 else 0
        middle = place.mean(axis=1, keepdims=True)
        satellites = middle + rng.normal(0, 3 + 5 * traits.spread, (2, cloud))
        y.extend([*place[0], *satellites[0]])
        x.extend([*place[1], *satellites[1]])
        height.extend([*brightness, *rng.lognormal(-0.8, 0.5, cloud)])
    light = dots(layout.shape, np.array(y), np.array(x), np.array(height), 1.35 * traits.scale)
    return np.minimum(light, 4) + 0.02 * layout.body + 0.04 * traits.contrast * layout.nucleus


def _pair(cell: Cell, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    number = rng.choice([1, 2], p=[0.55, 0.45])
    start = np.array(beside(cell, np.array([rng.uniform(0, 2 * np.pi)]), np.array([rng.normal(1, 6)])))
    return start + rng.normal(0, 2.5, (2, number)), rng.lognormal(1.2, 0.3, number)


def _poles(cell: Cell, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    across = np.array([[np.cos(cell.angle)], [-np.sin(cell.angle)]]) * np.array([[-20.0, 20.0]])
    return np.array([[cell.y], [cell.x]]) + across, rng.lognormal(1.2, 0.2, 2)
