"""The crop store: the pixels of all cells of a study in one memory-mapped file, their areas in another.

Row r of `pixels.npy` is a cell's crop, uint16 counts (2, side, side), as it was cut: neighbours are still in
it. Row r of `masks.npy` says which of its pixels are the cell's own, a bit each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.lib import format as npy

from protloc.errors import InputError
from protloc.images import CHANNELS


@dataclass(frozen=True)
class Crops:
    """An open store: pixels uint16 (cells, 2, side, side) and packed masks uint8 (cells, bytes), not yet read."""

    pixels: np.ndarray
    packed: np.ndarray

    @property
    def side(self) -> int:
        """Height and width of a crop, px."""
        return self.pixels.shape[-1]

    def read(self, rows: Sequence[int]) -> np.ndarray:
        """The counts of some rows, uint16 (rows, 2, side, side)."""
        return self.pixels[np.asarray(rows, dtype=int)]

    def masks(self, rows: Sequence[int]) -> np.ndarray:
        """Which pixels are the cell's own, bool (rows, side, side)."""
        bits = np.unpackbits(self.packed[np.asarray(rows, dtype=int)], axis=1, count=self.side**2)
        return bits.reshape(-1, self.side, self.side).astype(bool)


def open_crops(pixels: Path | str, masks: Path | str) -> Crops:
    """The store in the files `pixels` and `masks`; raises InputError if they are no store."""
    try:
        crops = Crops(*(npy.open_memmap(path, mode="r") for path in (pixels, masks)))
    except (OSError, ValueError) as error:
        raise InputError(f"{pixels}: not a readable crop store ({error}); delete it and run again") from error
    count, side = len(crops.pixels), crops.pixels.shape[-1]
    expected = [((count, len(CHANNELS), side, side), np.uint16), ((count, -(-(side**2) // 8)), np.uint8)]
    if [(array.shape, array.dtype) for array in (crops.pixels, crops.packed)] != expected:
        raise InputError(f"{pixels}: not a crop store, or {masks} belongs to another; delete both and run again")
    return crops


class CropWriter:
    """A crop store in the making: cells in the order they are added, streamed to disk.

    A context manager: the files are whole when the block ends well.
    """

    def __init__(self, pixels: Path, masks: Path, side: int) -> None:
        shapes = (len(CHANNELS), side, side), (-(-(side**2) // 8),)
        self._parts = [
            _Growing(path, shape, dtype)
            for path, shape, dtype in zip((pixels, masks), shapes, (np.uint16, np.uint8), strict=True)
        ]

    def add(self, counts: np.ndarray, masks: np.ndarray) -> None:
        """Append cells: counts uint16 (cells, 2, side, side), masks bool (cells, side, side)."""
        self._parts[0].append(counts)
        self._parts[1].append(np.packbits(masks.reshape(len(masks), -1), axis=1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        for part in self._parts:
            part.close()


class _Growing:
    """An .npy file that grows along its first axis; NumPy leaves room in the header for the final length."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type) -> None:
        self._shape, self._dtype, self._count = shape, np.dtype(dtype), 0
        self._file = path.open("wb")
        self._write_header()

    def append(self, rows: np.ndarray) -> None:
        if rows.shape[1:] != self._shape or rows.dtype != self._dtype:
            raise ValueError(f"rows are {rows.dtype} {rows.shape[1:]}, expected {self._dtype} {self._shape}")
        self._file.write(np.ascontiguousarray(rows).data)
        self._count += len(rows)

    def close(self) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        descr = npy.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self._count, *self._shape)}
        npy.write_array_header_1_0(self._file, header)
