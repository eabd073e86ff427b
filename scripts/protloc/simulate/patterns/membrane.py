"""The cell surface: all of it, or only where two cells touch."""

from __future__ import annotations

import numpy as np

from protloc.simulate.geometry import soft
from protloc.simulate.layout import Layout
from protloc.simulate.noise import dots, grain, noise
from protloc.simulate.traits import Traits


def membrane(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """The outline of every cell, ruffled, with the surface above and below it and some vesicles."""
    outline = np.exp(-((layout.edge / (1.5 + 0.8 * traits.scale)) ** 2)) * layout.body
    ruffled = np.clip(1 + 0.35 * traits.contrast * grain(rng, layout.shape, 2.5), 0.2, None)
    surface = (0.1 + 0.18 * traits.spread) * layout.body * (1 + 0.25 * noise(rng, layout.shape, 3))
    y, x = layout.scatter(rng, layout.cytoplasm, 0.008 * traits.variant)
    return outline * ruffled + surface + dots(layout.shape, y, x, rng.lognormal(-1.2, 0.5, len(y)), 1.1)


def cell_contact(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """Lines only where two cells touch, even or beaded."""
    touching = soft(layout.reach - layout.second, 2.5) * layout.body
    line = np.exp(-((layout.contact / (1.3 + 0.7 * traits.scale)) ** 2)) * touching
    beaded = np.clip(1 + (0.2 + 0.6 * traits.variant) * grain(rng, layout.shape, 2.2), 0.05, None)
    return 1.1 * line * beaded + (0.05 + 0.12 * traits.spread) * layout.cytoplasm
