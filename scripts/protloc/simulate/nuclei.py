"""What is inside a nucleus: nucleoli, and DNA as Hoechst stains it."""

from __future__ import annotations

import numpy as np

from protloc.simulate.cells import Cell
from protloc.simulate.geometry import Grid, along, soft, window
from protloc.simulate.noise import grain


def nucleoli_of(
    cells: list[Cell], grid: Grid, depth: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The mask of all nucleoli and their centres and radii (n, 3): y, x, px."""
    mask, centres = np.zeros_like(depth), []
    for cell in cells:
        for _ in range(rng.integers(1, 5)):
            angle, away = rng.uniform(0, 2 * np.pi), 0.62 * np.sqrt(rng.random())
            y = cell.y + away * cell.b * np.sin(angle)
            x = cell.x + away * cell.b * np.cos(angle)
            blob = Cell(y, x, rng.uniform(4, 9), rng.uniform(4, 7), rng.uniform(0, np.pi), 0, "interphase")
            part = window(blob, 22, depth.shape)
            u, v = along(blob, grid[0][part], grid[1][part])
            shape = soft((1 - np.hypot(u / blob.a, v / blob.b)) * blob.radius, 1.2)
            mask[part] = np.maximum(mask[part], shape)
            centres.append((y, x, blob.radius))
    return mask, np.array(centres).reshape(-1, 3)


def dna_of(
    cells: list[Cell],
    owner: np.ndarray,
    depth: np.ndarray,
    nucleus: np.ndarray,
    nucleoli: np.ndarray,
    chromosomes: np.ndarray,
    corpse: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """The stained DNA of a field, 1 on average in interphase: heterochromatin, dark nucleoli, bright rims."""
    count = len(cells)
    amount = rng.lognormal(0, 0.16, count).astype(np.float32)[owner]
    contrast = np.where(rng.random(count) < 0.1, 0.75, rng.uniform(0.2, 0.5, count)).astype(np.float32)[owner]
    bright = np.minimum(rng.lognormal(1.4, 0.5, count), 12).astype(np.float32)[owner]
    texture = 0.75 * grain(rng, owner.shape, 1.5) + 0.65 * grain(rng, owner.shape, 3.2)
    rim = np.exp(-(((depth + 1.8) / 1.8) ** 2)) + 2 * nucleoli * (1 - nucleoli)
    interphase = nucleus * (np.exp(contrast * texture) + 0.35 * rim) * (1 - 0.72 * nucleoli)
    dividing = 2.3 * chromosomes * (1 + 0.25 * texture)
    dead = bright * corpse * (1 + 0.3 * texture)
    return amount * np.maximum(interphase + dead, dividing)
