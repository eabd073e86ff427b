"""Patterns of the nucleus: its sap, its DNA, its bodies and its envelope."""

from __future__ import annotations

import numpy as np

from protloc.simulate.layout import Layout
from protloc.simulate.noise import blur, dots, grain
from protloc.simulate.traits import Traits


def nucleoplasm(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """Even to grainy light in nuclei, without nucleoli; all over the cell while it divides."""
    texture = 0.22 * traits.contrast * grain(rng, layout.shape, 1.7 * traits.scale)
    hollow = 1 - (0.45 + 0.45 * traits.variant) * layout.nucleoli
    return 0.75 * layout.nucleus * hollow * (1 + texture) + 0.3 * layout.mitotic * (
        1 - 0.5 * layout.chromosomes
    )


def chromatin(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """Light where Hoechst is, dividing chromosomes included, sharper or softer than it."""
    living = np.minimum(layout.dna * (layout.corpse < 0.02), 4)
    sharpened = np.power(np.maximum(living, 1e-3), 0.8 + 1.1 * traits.contrast)
    own = 1 + 0.25 * grain(rng, layout.shape, 1.4 * traits.scale)
    return 0.5 * np.minimum(sharpened, 3) * own


def nuclear_punctae(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """Bright bodies in nuclei: from many small ones to a few large ones."""
    few = traits.variant > 0.55
    per_px = (6 if few else 26) * traits.abundance / 3500
    y, x = layout.scatter(rng, layout.nucleus * (1 - 0.8 * layout.nucleoli), per_px)
    height = rng.lognormal(-0.3, 0.4, len(y))
    bodies = dots(layout.shape, y, x, height, (1.9 if few else 1.15) * traits.scale)
    return np.minimum(bodies, 2.5) + 0.22 * traits.contrast * layout.nucleus * (1 - 0.6 * layout.nucleoli)


def nuclear_membrane(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """The nuclear envelope: a thin rim, at times with folds, and a faint inside."""
    alive = layout.corpse < 0.02
    rim = np.exp(-(((layout.depth + 1.0) / (1.2 + 0.5 * traits.scale)) ** 2)) * alive * (1 - layout.mitotic)
    uneven = 1 + 0.25 * traits.contrast * grain(rng, layout.shape, 1.8)
    folds = np.exp(-((grain(rng, layout.shape, 7) / 0.07) ** 2)) * (traits.variant > 0.5) * layout.nucleus
    inside = (0.04 + 0.15 * traits.spread) * layout.nucleus
    return rim * uneven + 0.35 * blur(folds, 0.8) + inside + 0.2 * layout.mitotic
