"""The crop store: the pixels of all cells of a study in one memory-mapped file, their masks in another.

Row r of `pixels.npy` is a cell's crop as it was cut from its field: uint16 counts (2, side, side). Row r of
`masks.npy` holds two masks of the same side, a bit per pixel: the cell's nucleus, and what belongs to others.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.lib import format as npy

from protloc.errors import InputError
from protloc.images import CHANNELS

MASKS = ("nucleus", "others")


@dataclass(frozen=True)
class Crops:
    """An open store, mapped into memory: pixels (cells, 2, side, side), packed masks (cells, 2, bytes).

    What is read of a crop is its middle, `side` px wide; `stored` is the side of a whole one.
    """

    pixels: np.ndarray
    packed: np.ndarray
    side: int

    @property
    def stored(self) -> int:
        """Height and width of a crop as it is stored, px."""
        return self.pixels.shape[-1]

    def of_side(self, side: int) -> Crops:
        """The store with crops of `side` px, which is even; raises InputError if they are stored smaller."""
        if side > self.stored or (self.stored - side) % 2:
            raise InputError(
                f"crop store: crops of {side} px are asked for, it holds {self.stored} px; run again with "
                f"--forcerun cells"
            )
        return replace(self, side=side)

    def read(self, rows: Sequence[int]) -> np.ndarray:
        """The counts of some rows, uint16 (rows, 2, side, side)."""
        return _copied(self.pixels, (..., self._middle, self._middle), rows)

    def masks(self, rows: Sequence[int], kind: str) -> np.ndarray:
        """A mask of some rows, bool (rows, side, side): the `nucleus`, or what belongs to `others`."""
        packed = _copied(self.packed, (slice(None), MASKS.index(kind)), rows)
        whole = np.unpackbits(packed, axis=-1, count=self.stored**2).reshape(-1, self.stored, self.stored)
        return whole[:, self._middle, self._middle] > 0

    @property
    def _middle(self) -> slice:
        """The rows, or columns, of a stored crop that are read."""
        margin = (self.stored - self.side) // 2
        return slice(margin, margin + self.side)


def _copied(store: np.ndarray, part: tuple, rows: Sequence[int]) -> np.ndarray:
    """Part of some rows of a mapped file; its pages are let go, or all ever read would count as memory."""
    copied = store[part][np.asarray(rows, dtype=int)]
    if isinstance(store.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        store.base.madvise(mmap.MADV_DONTNEED)
    return copied


def open_crops(pixels: Path | str, masks: Path | str) -> Crops:
    """The store in the files `pixels` and `masks`; raises InputError if they are no store."""
    try:
        mapped = [npy.open_memmap(path, mode="r") for path in (pixels, masks)]
        crops = Crops(*mapped, mapped[0].shape[-1])
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{pixels}: not a readable crop store ({error}); delete it and run again") from error
    shapes = [(len(crops.pixels), *shape) for shape in _shapes(crops.stored)]
    found = [(array.shape, array.dtype) for array in (crops.pixels, crops.packed)]
    if found != list(zip(shapes, (np.uint16, np.uint8), strict=True)):
        raise InputError(f"{pixels}: not a crop store, or not that of {masks}; delete both and run again")
    return crops


def _shapes(side: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape of a row of the pixels and of the packed masks."""
    return (len(CHANNELS), side, side), (len(MASKS), -(-(side**2) // 8))


class CropWriter:
    """A crop store in the making: cells in the order they are added, streamed to disk.

    A context manager: the files are whole when the block ends.
    """

    def __init__(self, pixels: Path, masks: Path, side: int) -> None:
        of_pixels, of_masks = _shapes(side)
        self._bits = side**2
        self._pixels = _Growing(pixels, of_pixels, np.uint16)
        self._masks = _Growing(masks, of_masks, np.uint8)

    def add(self, counts: np.ndarray, nuclei: np.ndarray, others: np.ndarray) -> None:
        """Append cells: counts uint16 (cells, 2, side, side), masks bool (cells, side, side)."""
        masks = np.stack([nuclei, others], axis=1).reshape(len(counts), len(MASKS), self._bits)
        self._pixels.append(counts)
        self._masks.append(np.packbits(masks, axis=-1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        self._pixels.close()
        self._masks.close()


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
        descr, shape = npy.dtype_to_descr(self._dtype), (self._count, *self._shape)
        npy.write_array_header_1_0(self._file, {"descr": descr, "fortran_order": False, "shape": shape})
