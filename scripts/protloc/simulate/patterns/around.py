"""Points placed relative to nuclei, for organelles that sit beside them."""

from __future__ import annotations

import numpy as np

from protloc.simulate.cells import Cell


def beside(cell: Cell, direction: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (y, x) px in the given directions (rad) at `away` px outside the edge of the cell's nucleus."""
    turned = direction - cell.angle
    radius = cell.a * cell.b / np.hypot(cell.b * np.cos(turned), cell.a * np.sin(turned))
    return cell.y + (radius + away) * np.sin(direction), cell.x + (radius + away) * np.cos(direction)
