"""Where the cells of a field lie: HEK293T-like islands of touching cells, some dividing, some dead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from protloc.simulate.traits import PIXEL_UM

MARGIN = 50  # px around the field in which cells still reach into it
AREA_PER_CELL = (6500, 15000)  # px², from dense to sparse; real fields hold 25-60 nuclei in 600 x 600 px
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

    @property
    def radius(self) -> float:
        """Mean radius of the nucleus, px."""
        return float(np.sqrt(self.a * self.b))

    @property
    def mitotic(self) -> bool:
        """Whether the cell is dividing."""
        return self.state in ("metaphase", "anaphase")


def place_cells(size: int, crowding: float, rng: np.random.Generator) -> list[Cell]:
    """The cells in and around a field of `size` px; `crowding` is their density, relative."""
    wanted = round(crowding * (size + 2 * MARGIN) ** 2 / rng.uniform(*AREA_PER_CELL))
    looseness = rng.uniform(0.0, 0.6)
    cells: list[Cell] = []
    for _ in range(max(2, wanted)):
        for _ in range(TRIES):
            cell = _beside(cells, size, looseness, rng)
            if _fits(cell, cells, rng):
                cells.append(cell)
                break
    return cells


def _beside(cells: list[Cell], size: int, looseness: float, rng: np.random.Generator) -> Cell:
    """A new cell that founds an island, or lies next to one that is there."""
    new = _shape(rng)
    if not cells or rng.random() < 0.12 + 0.3 * looseness:
        y, x = rng.uniform(-MARGIN, size + MARGIN, 2)
    else:
        other = cells[rng.integers(len(cells))]
        away = (new.radius + other.radius) * (0.92 + rng.exponential(0.12 + looseness))
        direction = rng.uniform(0, 2 * np.pi)
        y = np.clip(other.y + away * np.sin(direction), -MARGIN, size + MARGIN)
        x = np.clip(other.x + away * np.cos(direction), -MARGIN, size + MARGIN)
    return Cell(float(y), float(x), new.a, new.b, new.angle, new.bend, new.state)


def _shape(rng: np.random.Generator) -> Cell:
    state = str(rng.choice(["interphase", "metaphase", "anaphase", "dead"], p=[0.945, 0.025, 0.01, 0.02]))
    diameter = np.clip(rng.normal(13.6, 1.3), 10.5, 17.5) / PIXEL_UM
    if state == "dead":
        diameter *= rng.uniform(0.45, 0.65)
    aspect = rng.uniform(1.0, 1.12) if state != "interphase" else np.clip(1.05 + rng.gamma(2, 0.1), 1, 1.7)
    a, b = diameter / 2 * np.sqrt(aspect), diameter / 2 / np.sqrt(aspect)
    return Cell(0, 0, float(a), float(b), float(rng.uniform(0, np.pi)), float(rng.normal(0, 0.12)), state)


def _fits(cell: Cell, cells: list[Cell], rng: np.random.Generator) -> bool:
    """Whether no nucleus lies too deep in another; one in eight may overlap."""
    room = 0.72 if rng.random() < 0.12 else 0.92
    return all(
        np.hypot(cell.y - other.y, cell.x - other.x)
        > room * (cell.radius + other.radius) + 14 * (cell.mitotic + other.mitotic)
        for other in cells
    )
