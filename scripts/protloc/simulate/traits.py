"""How one protein, one cell line and one field of view differ from the next."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

PIXEL_UM = 0.206349


@dataclass(frozen=True)
class Traits:
    """What a tagged protein looks like, whatever its localization; most are factors around 1."""

    scale: float  # size of its textures
    contrast: float  # of its textures
    abundance: float  # number of its marks
    expression: float  # counts of its bright parts
    pool: float  # share that is diffuse all over the cell
    spread: float  # 0 near the nucleus to 1 near the cell's edge
    variant: float  # 0 to 1: which look of a pattern
    unevenness: float  # standard deviation of log expression between cells
    dominance: float  # how far grade 3 outshines grades 2 and 1
    crowding: float = 1.0  # cells per area
    stain: float = 1.0  # brightness of its Hoechst

    def weight(self, grade: int) -> float:
        """The brightness of a pattern of this grade (3, 2 or 1), relative to that of grade 3."""
        return {3: 1.0, 2: 0.45, 1: 0.2}[grade] ** self.dominance


def draw_traits(rng: np.random.Generator) -> Traits:
    """The traits of a new protein."""
    return Traits(
        scale=float(rng.lognormal(0, 0.2)),
        contrast=float(rng.uniform(0.5, 1.3)),
        abundance=float(rng.lognormal(0, 0.4)),
        expression=float(np.clip(rng.lognormal(np.log(2600), 0.65), 650, 12000)),
        pool=float(rng.beta(1.0, 9)),
        spread=float(rng.uniform()),
        variant=float(rng.uniform()),
        unevenness=float(rng.uniform(0.08, 0.45)),
        dominance=float(rng.uniform(0.75, 1.4)),
    )


def of_cell_line(traits: Traits, rng: np.random.Generator) -> Traits:
    """The traits of a protein in one of its cell lines: another clone, with another expression and growth."""
    return replace(
        traits,
        expression=traits.expression * float(rng.lognormal(0, 0.25)),
        pool=min(0.8, traits.pool * float(rng.lognormal(0, 0.3))),
        crowding=float(rng.lognormal(0, 0.15)),
        stain=float(rng.lognormal(0, 0.05)),
    )
