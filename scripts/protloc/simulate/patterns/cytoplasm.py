"""Proteins dissolved in the cytoplasm: cells light, nuclei and vacuoles dark."""

from __future__ import annotations

import numpy as np

from protloc.simulate.layout import Layout
from protloc.simulate.noise import grain, noise
from protloc.simulate.traits import Traits


def cytoplasmic(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """Smooth to grainy light in the cytoplasm, thicker near the nucleus; a share may enter the nucleus."""
    texture = 0.10 * traits.contrast * grain(rng, layout.shape, 1.6 * traits.scale)
    texture += 0.10 * noise(rng, layout.shape, 9)
    thick = 0.55 + 0.45 * np.exp(-np.maximum(layout.depth, 0) / (14 + 25 * traits.spread))
    thick *= 1 - 0.5 * np.exp(-np.maximum(layout.edge, 0) / (3 + 5 * traits.spread))
    vacuoles = np.clip(grain(rng, layout.shape, 2.6) - 2.0, 0, 1) * (traits.variant > 0.6)
    inside = 0.04 + 0.3 * traits.variant**3
    return layout.body * (1 - (1 - inside) * layout.nucleus) * thick * (1 + texture) * (1 - 0.7 * vacuoles)
