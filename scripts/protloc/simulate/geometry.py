"""Distances in a field: which nucleus is nearest, and how far is its edge."""

from __future__ import annotations

import numpy as np

from protloc.simulate.cells import Cell
from protloc.simulate.noise import Shape, noise

REACH = 62  # px from a nucleus' edge beyond which no cell extends
FAR = np.float32(1e3)
Grid = tuple[np.ndarray, np.ndarray]


def soft(distance: np.ndarray, width: float) -> np.ndarray:
    """1 where `distance` (px) is well above zero, 0 well below, over about `width` px."""
    return 0.5 + 0.5 * np.tanh(distance * np.float32(1 / width))


def warped_grid(shape: Shape, rng: np.random.Generator) -> Grid:
    """Pixel coordinates (y, x), bent by smooth noise, so that ellipses drawn on them are no ellipses."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    strength = np.float32(rng.uniform(1.2, 2.3))
    return y + strength * noise(rng, shape, 16), x + strength * noise(rng, shape, 16)


def nearest(cells: list[Cell], grid: Grid, shape: Shape) -> tuple[np.ndarray, ...]:
    """Owner, distance to the nearest and to the second nearest nucleus, px."""
    owner = np.zeros(shape, np.int32)
    depth, second = np.full(shape, FAR), np.full(shape, FAR)
    for index, cell in enumerate(cells):
        part = window(cell, cell.a + REACH, shape)
        u, v = along(cell, grid[0][part], grid[1][part])
        distance = (np.hypot(u / cell.a, (v + cell.bend * u * u / cell.a) / cell.b) - 1) * cell.radius
        closer = distance < depth[part]
        second[part] = np.where(closer, depth[part], np.minimum(second[part], distance))
        depth[part] = np.minimum(depth[part], distance)
        owner[part][closer] = index
    return owner, depth, second


def window(cell: Cell, radius: float, shape: Shape) -> tuple[slice, slice]:
    """The part of a field within `radius` px of the cell's centre."""
    return tuple(
        slice(max(0, int(at - radius)), max(0, min(size, int(at + radius) + 1)))
        for at, size in zip((cell.y, cell.x), shape, strict=True)
    )


def along(cell: Cell, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across the nucleus' long axis, px."""
    cos, sin = np.float32(np.cos(cell.angle)), np.float32(np.sin(cell.angle))
    dy, dx = y - np.float32(cell.y), x - np.float32(cell.x)
    return cos * dx + sin * dy, cos * dy - sin * dx
