"""What is inside a nucleus: nucleoli, and DNA as Hoechst stains it."""

from __future__ import annotations

import numpy as np

from protloc.simulate.cells import Cell
from protloc.simulate.geometry import Grid, along, soft, window
from protloc.simulate.noise import Shape, grain


def nucleoli_of(
    cells: list[Cell], grid: Grid, depth: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The mask of all nucleoli and their centres and radii (n, 3): y, x, px."""
    mask, centres = np.zeros_like(depth), []
    for cell in cells:
        for _ in range(rng.integers(1, 4)):
            angle, away = rng.uniform(0, 2 * np.pi), 0.62 * np.sqrt(rng.random())
            y = cell.y + away * cell.b * np.sin(angle)
            x = cell.x + away * cell.b * np.cos(angle)
            blob = Cell(
                y, x, rng.uniform(4.5, 10), rng.uniform(4.5, 7.5), rng.uniform(0, np.pi), 0, "interphase"
            )
            part = window(blob, 22, depth.shape)
            u, v = along(blob, grid[0][part], grid[1][part])
            shape = soft((1 - np.hypot(u / blob.a, v / blob.b)) * blob.radius, 1.2)
            mask[part] = np.maximum(mask[part], shape)
            centres.append((y, x, blob.radius))
    return mask, np.array(centres).reshape(-1, 3)


def chromosomes_of(cells: list[Cell], grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """The mask of dividing cells' chromosomes: two rough plates in anaphase, in metaphase one.

    A metaphase plate is seen from its edge, or obliquely, twice as thick.
    """
    shape = grid[0].shape
    mask = np.zeros(shape, np.float32)
    dividing = [cell for cell in cells if cell.mitotic]
    rough = 0.35 * grain(rng, shape, 2.8) if dividing else mask
    for cell in dividing:
        part = window(cell, cell.a + 8, shape)
        u, v = along(cell, grid[0][part], grid[1][part])
        apart, thick = (0.34 * cell.a, 5.5) if cell.state == "anaphase" else (0, rng.choice([7.5, 15]))
        plate = ((np.abs(v) - apart) / thick) ** 2 + (u / (0.75 * cell.a)) ** 4 + rough[part]
        mask[part] = np.maximum(mask[part], soft(1 - plate, 0.4))
    return mask


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
    count, shape = len(cells), owner.shape
    amount = _each(rng.lognormal(0, 0.14, count), owner)
    contrast = _each(rng.choice([0.26, 0.32, 0.36, 0.44], count, p=[0.15, 0.4, 0.4, 0.05]), owner)
    hollow = _each(rng.uniform(0.4, 0.8, count), owner)
    crisp = _each(rng.uniform(0.25, 0.85, count), owner)
    bright = _each(np.minimum(rng.lognormal(1.4, 0.6, count), 20), owner)
    texture = _heterochromatin(shape, _each(rng.uniform(0.25, 0.8, count), owner), rng)
    rim = np.exp(-(((depth + 2.8) / 1.8) ** 2)) + 2 * nucleoli * (1 - nucleoli)
    interphase = nucleus * (np.exp(contrast * texture) + crisp * rim) * (1 - hollow * nucleoli)
    dividing = 2.3 * chromosomes * np.clip(1 + 0.4 * texture, 0.4, None)
    dead = bright * corpse * (1 + 0.3 * texture)
    return amount * np.maximum(interphase + dead, dividing)


def _heterochromatin(shape: Shape, fine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Texture of mean 0 and variance about 1: spots amid patches, `fine` being the share of the spots."""
    spots, patches = grain(rng, shape, 2.1), grain(rng, shape, 5.2)
    mixed = fine * spots * (1 + 0.5 * patches) + (1.25 - 0.5 * fine) * patches
    return 3.8 * np.tanh(mixed / 3.6)


def _each(values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """A map of one value per cell, float32."""
    return values.astype(np.float32)[owner]
