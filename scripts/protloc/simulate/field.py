"""One field of view: cells, a protein in them, and the counts that a camera makes of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from protloc.simulate.camera import expose
from protloc.simulate.layout import Layout, lay_out
from protloc.simulate.optics import draw_optics, through
from protloc.simulate.patterns import PATTERNS
from protloc.simulate.traits import Traits

NUCLEI_MEAN = (1750, 2050)  # counts above the offset


@dataclass(frozen=True)
class Field:
    """A field of view: image uint16 (2, height, width), nucleus then protein, counts; and its label images.

    nuclei, cells: int32 (height, width), 0 is background; a cell and its nucleus have the same label.
    """

    image: np.ndarray
    nuclei: np.ndarray
    cells: np.ndarray


def render_field(grades: Mapping[str, int], traits: Traits, size: int, rng: np.random.Generator) -> Field:
    """A field of `size` px square of a protein whose localizations have the given grades (3, 2 or 1)."""
    layout = lay_out(size, traits.crowding, rng)
    optics = draw_optics(rng)
    offset = rng.uniform(395, 455)
    nucleus = through(optics, layout.dna * _hoechst_gain(layout, traits, rng), layout.lift)
    protein = through(optics, protein_light(grades, traits, layout, rng), layout.lift)
    channels = [expose(light.astype(np.float32), offset, rng) for light in (nucleus, protein)]
    return Field(np.stack(channels), layout.nuclei, layout.cells)


def protein_light(
    grades: Mapping[str, int], traits: Traits, layout: Layout, rng: np.random.Generator
) -> np.ndarray:
    """The light of the tagged protein, counts above the background, float32 (height, width)."""
    light = traits.pool * 0.5 * (layout.body + 0.3 * layout.nucleus)
    for name in sorted(grades):
        weight = traits.weight(grades[name]) * rng.uniform(0.85, 1.15)
        light += np.float32(weight) * PATTERNS[name](layout, rng, traits)
    level = rng.lognormal(0, traits.unevenness, len(layout.cells_at))
    glow = 0.04 * layout.body + 0.8 * layout.corpse
    return light * layout.per_cell(level) * np.float32(traits.expression) + 600 * glow


def _hoechst_gain(layout: Layout, traits: Traits, rng: np.random.Generator) -> np.float32:
    """Counts per unit of DNA, so that interphase nuclei have the mean of real ones."""
    weight = float(layout.nucleus.sum())
    mean = float((layout.dna * layout.nucleus).sum()) / weight if weight > 1 else 1.0
    return np.float32(rng.uniform(*NUCLEI_MEAN) * traits.stain / mean)
