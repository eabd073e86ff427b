"""How the images of a level are shown to a network: at which size, and whole or in tiles. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from protloc.config.backbones import Network
from protloc.config.tokens import rounded


@dataclass(frozen=True)
class View:
    """A scale in µm per px, or a side in px that images are resized to; times `factor`.

    multiple: sides are rounded to a multiple of this, px. tile_px: side of the tiles that an image is cut
    into, px as they are shown; None: it is shown whole. fixed: the network takes images of that size only, so
    that a smaller one is enlarged to it.
    """

    um_per_px: float | None
    px: int | None
    multiple: int
    tile_px: int | None = None
    factor: float = 1.0
    fixed: bool = False

    def at(self, factor: float) -> View:
        """The same at another scale: with `factor` times as many px per µm."""
        return replace(self, factor=factor)

    def shown(self, height: int, width: int, pixel_size_um: float) -> tuple[int, int]:
        """The height and width in px of an image, or a tile, of that height and width after resizing."""
        if self.px is not None:
            per_px = max(height, width) / self.px / self.factor
        else:
            per_px = self.um_per_px / self.factor / pixel_size_um
        return self._side(height, per_px), self._side(width, per_px)

    def tiles(self, height: int, width: int, pixel_size_um: float) -> list[tuple[slice, slice]]:
        """Where the tiles of an image lie, rows and columns in its own px: evenly spaced, and all of it.

        A whole image is one tile. Tiles overlap where they do not divide the image; at a larger scale they
        cover less of it.
        """
        if self.tile_px is None:
            return [(slice(0, height), slice(0, width))]
        side = self._tile(self.um_per_px / self.factor / pixel_size_um)
        return [
            (slice(top, top + min(side, height)), slice(left, left + min(side, width)))
            for top in _starts(height, side)
            for left in _starts(width, side)
        ]

    def _tile(self, per_px: float) -> int:
        """The side of a tile in the image's own px, of which there are `per_px` in one that is shown."""
        return max(1, round(self.tile_px * per_px))

    def _side(self, side: int, per_px: float) -> int:
        """A side as it is shown, px: that of a whole tile is exact, others are rounded to a multiple."""
        if self.tile_px and (self.fixed or side == self._tile(per_px)):
            return self.tile_px
        return rounded(side / per_px, self.multiple)


def view_of(network: Network, level: str) -> View:
    """How a row of the registry says that images of a level, `fov` or `cell`, are shown."""
    fixed = network.image_px is not None
    if level == "fov":
        return View(network.um_per_px, None, network.size_multiple, network.tile_px, fixed=fixed)
    cell = network.cell
    return View(cell.um_per_px or network.um_per_px, cell.px, network.size_multiple, fixed=fixed)


def _starts(length: int, side: int) -> list[int]:
    """Where tiles of `side` begin along `length` px: as few as cover it, evenly spaced."""
    count = math.ceil(length / side)
    if count == 1:
        return [0]
    return [round(number * (length - side) / (count - 1)) for number in range(count)]
