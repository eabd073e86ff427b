"""The two looks of a nucleolus: its granular component and its fibrillar centres."""

from __future__ import annotations

import numpy as np

from protloc.simulate.layout import Layout
from protloc.simulate.noise import dots, grain
from protloc.simulate.traits import Traits


def nucleolus_gc(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """Whole nucleoli as smooth blobs, where Hoechst is dark, over a faint nucleus."""
    texture = 0.12 * traits.contrast * grain(rng, layout.shape, 2.0 * traits.scale)
    hollow = 1 - 0.3 * traits.variant * np.clip(grain(rng, layout.shape, 2.4), 0, 1)
    sap = (0.06 + 0.22 * traits.spread) * layout.nucleus
    return layout.nucleoli * (1 + texture) * hollow + sap + 0.15 * layout.mitotic


def nucleolus_fc_dfc(layout: Layout, rng: np.random.Generator, traits: Traits) -> np.ndarray:
    """Clusters of small bright spots inside the nucleoli."""
    centres = layout.nucleolus_centres
    each = rng.poisson(np.clip(0.4 * centres[:, 2] ** 2 * traits.abundance, 4, 36))
    y, x, radius = (np.repeat(column, each) for column in centres.T)
    angle, away = rng.uniform(0, 2 * np.pi, len(y)), 1.25 * radius * np.sqrt(rng.random(len(y)))
    height = rng.lognormal(0.2, 0.6, len(y))
    spots = dots(layout.shape, y + away * np.sin(angle), x + away * np.cos(angle), height, 0.9 * traits.scale)
    sap = (0.04 + 0.12 * traits.spread) * layout.nucleus
    return np.minimum(spots, 3) * layout.nucleus + 0.1 * layout.nucleoli + sap + 0.1 * layout.mitotic
