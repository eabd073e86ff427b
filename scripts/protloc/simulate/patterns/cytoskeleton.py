"""Filaments through the cell, and the adhesions at which they end."""

from __future__ import annotations

import numpy as np

from protloc.simulate.layout import Layout
from protloc.simulate.noise import blur, paths, splat
from protloc.simulate.traits import Traits


def cytoskeleton(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """Long thin fibres that run around and away from the nucleus, with a bright cortex in some proteins."""
    y, x = layout.scatter(rng, layout.cytoplasm, 0.008 * traits.abundance**0.5)
    outward = _outward(layout, y, x) + rng.normal(0, 0.5, len(y)) + (np.pi / 2) * (traits.variant > 0.6)
    steps = int(34 * traits.scale)
    points = paths(rng, y, x, outward, steps, 0.05)
    fibres = np.minimum(splat(layout.shape, points[0].ravel(), points[1].ravel(), 0.6), 1.8)
    cortex = 0.6 * traits.spread * np.exp(-((layout.edge / 2.2) ** 2))
    return 1.3 * blur(fibres, 0.75) * layout.cytoplasm + cortex * layout.body + 0.12 * layout.cytoplasm


def focal_adhesions(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """Short dashes that point outward, most of them near the rim of the cell's base."""
    at_rim = np.exp(-((layout.edge / (5 + 8 * traits.spread)) ** 2))
    y, x = layout.scatter(rng, layout.body * (0.3 + at_rim) / 1.3, 0.03 * traits.abundance)
    steps = int(2 + 6 * traits.variant)
    points = paths(rng, y, x, _outward(layout, y, x) + rng.normal(0, 0.35, len(y)), steps, 0.08)
    height = np.repeat(rng.lognormal(-0.2, 0.7, len(y)), steps)
    dashes = blur(splat(layout.shape, points[0].ravel(), points[1].ravel(), height), 0.95 * traits.scale)
    return np.minimum(1.8 * dashes, 2.5) * layout.body + (0.02 + 0.06 * traits.contrast) * layout.cytoplasm


def _outward(layout: Layout, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Direction (rad) from the centre of the cell to the points (y, x)."""
    centre = np.array([(cell.y, cell.x) for cell in layout.cells_at])
    mine = centre[layout.owner[y.round().astype(int), x.round().astype(int)]]
    return np.arctan2(y - mine[:, 0], x - mine[:, 1])
