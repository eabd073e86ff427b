"""Where the cells of a field lie: HEK293T-like islands of touching cells, some dividing, some dead."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from protloc.simulate.traits import PIXEL_UM

MARGIN = 50  # px around the field in which cells still reach into it
AREA_PER_CELL = (6000, 15000)  # px², from dense to sparse; real fields hold 25-60 nuclei in 600 x 600 px
TRIES = 25


@dataclass(frozen=True)
class Cell:
    """A cell: centre (px), half-axes of its nucleus (px), direction (rad), bend, and what it is doing.

    state is `interphase`, `metaphase`, `anaphase` or `dead`.
    """

    y: float
    x: float
    a: float
    b: float
    angle: float
    bend: float
    state: str

    @cached_property
    def radius(self) -> float:
        """Mean radius of the nucleus, px."""
        return math.sqrt(self.a * self.b)

    @cached_property
    def mitotic(self) -> bool:
        """Whether the cell is dividing."""
        return self.state in ("metaphase", "anaphase")


def place_cells(size: int, crowding: float, rng: np.random.Generator) -> list[Cell]:
    """The cells in and around a field of `size` px; `crowding` is their density, relative."""
    wanted = round(crowding * (size + 2 * MARGIN) ** 2 / rng.uniform(*AREA_PER_CELL))
    looseness = 0.6 * rng.uniform() ** 2
    cells: list[Cell] = []
    for _ in range(max(2, wanted)):
        new, room = _shape(rng), _room(rng)
        for _ in range(TRIES):
            y, x = _beside(new, cells, size, looseness, rng)
            if _fits(new, y, x, cells, room):
                cells.append(replace(new, y=y, x=x))
                break
    return cells


def _beside(
    new: Cell, cells: list[Cell], size: int, looseness: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Where the new cell founds an island, or lies next to one that is there: y, x, px."""
    if not cells or rng.random() < 0.01 + 0.12 * looseness:
        edge = MARGIN if cells else -size / 8  # the first island is in the picture
        y, x = rng.uniform(-edge, size + edge, 2)
    else:
        other = cells[rng.integers(len(cells))]
        away = (new.radius + other.radius) * (1.0 + rng.exponential(0.1 + 0.7 * looseness))
        direction = rng.uniform(0, 2 * np.pi)
        y = min(max(other.y + away * math.sin(direction), -MARGIN), size + MARGIN)
        x = min(max(other.x + away * math.cos(direction), -MARGIN), size + MARGIN)
    return float(y), float(x)


def _shape(rng: np.random.Generator) -> Cell:
    state = str(rng.choice(["interphase", "metaphase", "anaphase", "dead"], p=[0.95, 0.025, 0.01, 0.015]))
    diameter = np.clip(rng.normal(15.0, 1.4), 11, 18) / PIXEL_UM
    if state == "dead":
        diameter *= rng.uniform(0.45, 0.65)
    aspect = rng.uniform(1.0, 1.12) if state != "interphase" else np.clip(1.05 + rng.gamma(2, 0.15), 1, 1.9)
    a, b = diameter / 2 * np.sqrt(aspect), diameter / 2 / np.sqrt(aspect)
    return Cell(0, 0, float(a), float(b), float(rng.uniform(0, np.pi)), float(rng.normal(0, 0.11)), state)


def _room(rng: np.random.Generator) -> float:
    """The least distance from other nuclei, relative: most lie apart, some touch, few overlap."""
    return float(rng.choice([0.7, 0.92, 1.06, 1.3], p=[0.07, 0.23, 0.4, 0.3]))


def _fits(cell: Cell, y: float, x: float, cells: list[Cell], room: float) -> bool:
    """Whether the cell, at (y, x), keeps its distance from all other nuclei."""
    return all(
        math.hypot(y - other.y, x - other.x)
        > room * (cell.radius + other.radius) + 14 * (cell.mitotic + other.mitotic)
        for other in cells
    )
