"""The maps of a field: whose pixel it is, how far it lies from nucleus, neighbour and cell edge."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from protloc.simulate.cells import Cell, place_cells
from protloc.simulate.geometry import REACH, nearest, soft, warped_grid
from protloc.simulate.noise import Shape, noise
from protloc.simulate.nuclei import chromosomes_of, dna_of, nucleoli_of


@dataclass(frozen=True)
class Layout:
    """A field before any light: maps (height, width), distances in px, masks 0 to 1 with soft edges."""

    cells_at: list[Cell]
    owner: np.ndarray  # index of the nearest cell, int32
    depth: np.ndarray  # distance to the edge of its nucleus, negative inside
    second: np.ndarray  # distance to the edge of the second nearest nucleus
    reach: np.ndarray  # distance from the nucleus at which a cell ends, where no other cell stops it
    nucleus: np.ndarray  # interphase nuclei
    nucleoli: np.ndarray
    nucleolus_centres: np.ndarray  # (n, 3): y, x, radius
    chromosomes: np.ndarray  # of dividing cells
    corpse: np.ndarray  # dead cells
    body: np.ndarray  # living cells
    mitotic: np.ndarray  # dividing cells
    dna: np.ndarray  # as Hoechst stains it, about 1 in interphase nuclei
    nuclei: np.ndarray  # label image, int32, 0 is background: the known truth
    cells: np.ndarray  # the same for cells
    lift: np.ndarray  # how far the cell lies above the plane in focus, 0 to 1

    @property
    def shape(self) -> Shape:
        """Height and width, px."""
        return self.owner.shape

    @cached_property
    def cytoplasm(self) -> np.ndarray:
        """Living cells without their nuclei, 0 to 1."""
        return self.body * (1 - self.nucleus)

    @cached_property
    def edge(self) -> np.ndarray:
        """Distance to the cell's border, free or shared, px."""
        return np.minimum(self.reach - self.depth, self.contact)

    @cached_property
    def contact(self) -> np.ndarray:
        """Distance to the border with the next cell, px; meaningless where that cell does not reach."""
        return (self.second - self.depth) / 2

    @cached_property
    def living(self) -> list[Cell]:
        """The cells that are neither dead nor dividing."""
        return [cell for cell in self.cells_at if cell.state == "interphase"]

    def per_cell(self, values: np.ndarray) -> np.ndarray:
        """A map of one value per cell."""
        return values.astype(np.float32)[self.owner]

    def scatter(
        self, rng: np.random.Generator, density: np.ndarray, per_px: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Random points (y, x), `per_px` of them in a pixel where `density` is 1."""
        count = rng.poisson(per_px * density.size)
        y, x = rng.uniform(0, self.shape[0] - 1, count), rng.uniform(0, self.shape[1] - 1, count)
        keep = rng.random(count) < density[y.round().astype(int), x.round().astype(int)]
        return y[keep], x[keep]


def lay_out(size: int, crowding: float, rng: np.random.Generator) -> Layout:
    """A field of `size` px square, with its cells; `crowding` is their density, relative."""
    cells = place_cells(size, crowding, rng)
    shape = (size, size)
    grid = warped_grid(shape, rng)
    owner, depth, second = nearest(cells, grid, shape)
    chromosomes = chromosomes_of(cells, grid, rng)
    reach = np.clip(rng.uniform(20, 48) * (1 + 0.45 * noise(rng, shape, 14)), 4, REACH - 4)
    dead = np.array([cell.state == "dead" for cell in cells])[owner]
    dividing = np.array([cell.mitotic for cell in cells])[owner]
    reach = np.where(dead, np.float32(2), np.where(dividing, np.float32(8), reach))
    whole = soft(reach - depth, 1.5)
    core = soft(-depth - 0.7, 2.0) * soft(second - depth, 1.5)
    nucleus, corpse = core * ~(dead | dividing), core * dead
    nucleoli, centres = nucleoli_of(cells, grid, depth, rng)
    nucleoli *= nucleus
    solid = np.where(dividing, chromosomes > 0.5, depth < 0)
    return Layout(
        cells_at=cells,
        owner=owner,
        depth=depth,
        second=second,
        reach=reach,
        nucleus=nucleus,
        nucleoli=nucleoli,
        nucleolus_centres=centres,
        chromosomes=chromosomes,
        corpse=corpse,
        body=whole * ~dead,
        mitotic=whole * dividing,
        dna=dna_of(cells, owner, depth, nucleus, nucleoli, chromosomes, corpse, rng),
        nuclei=np.where(solid, owner + 1, 0).astype(np.int32),
        cells=np.where((depth < reach) & ~dead, owner + 1, 0).astype(np.int32),
        lift=_lift(len(cells), rng)[owner],
    )


def _lift(count: int, rng: np.random.Generator) -> np.ndarray:
    """How far each cell lies above the plane in focus: most not at all, some out of the focus' depth."""
    return (rng.beta(1, 2.5, count) * (rng.random(count) < 0.25)).astype(np.float32)
