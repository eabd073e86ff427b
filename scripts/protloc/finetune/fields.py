"""The fields of a study as a network is shown them, decoded once for all runs where memory allows."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import Tensor

from protloc.config.backbones import Network
from protloc.errors import InputError
from protloc.fields import Field
from protloc.images import CHANNELS
from protloc.models.preprocess import prepare
from protloc.models.view import view_of
from protloc.parallel import in_order
from protloc.progress import progress

CPU = torch.device("cpu")
BYTES = len(CHANNELS) * torch.float32.itemsize


class Fields:
    """The prepared image of each field by its place, float32 (channels, height, width), from file or memory.

    What is kept are not the counts but what `prepare` makes of them, once instead of in each epoch: at the
    usual half scale that is half as large, and to the bit the same.
    """

    def __init__(self, fields: Sequence[Field], root: Path, network: Network) -> None:
        self._fields, self._root, self._network = fields, root, network
        self._view = view_of(network, "fov")
        self.sizes = [self._size(field) for field in fields]
        self._kept: dict[int, Tensor] = {}

    def __getitem__(self, place: int) -> Tensor:
        return self._kept[place] if place in self._kept else self._read(place)

    def keep(self, places: Collection[int], memory_mb: int, threads: int) -> None:
        """Hold these in memory, if they take no more than `memory_mb`; what is missing is read as needed."""
        needed = sum(BYTES * self.sizes[place][0] * self.sizes[place][1] for place in places) / 1e6
        if needed > memory_mb:
            logging.warning(
                "%d fields need %.0f MB, finetune.memory_mb is %d: they are read again in each epoch",
                *(len(places), needed, memory_mb),
            )
            return
        reading = in_order(self._read, sorted(places), workers=threads, ahead=2 * threads)
        self._kept |= dict(progress(reading, total=len(places), unit="fields"))

    def crop_side(self, px: int | None) -> int:
        """The side of the training crops, px: as asked for, or the largest that every field has.

        Raises InputError for one that a field or the network does not allow.
        """
        smallest, multiple = min(map(min, self.sizes)), self._network.size_multiple
        if px is None:
            return smallest
        if px > smallest:
            raise InputError(f"finetune.px: {px} is more than the smallest field's {smallest} px; lower it")
        if px % multiple:
            raise InputError(f"finetune.px: {px} is no multiple of {self._network.title}'s {multiple} px")
        return px

    def _size(self, field: Field) -> tuple[int, int]:
        return self._view.shown(field.height, field.width, field.pixel_size_um)

    def _read(self, place: int) -> Tensor:
        field, network = self._fields[place], self._network
        counts = torch.from_numpy(field.read(self._root))[None]
        return prepare(counts, field.pixel_size_um, self._view, CPU, network.normalization)[0]
