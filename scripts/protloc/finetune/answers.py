"""What a classifier says of whole fields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from protloc.finetune.fields import Fields
from protloc.finetune.machine import Machine
from protloc.finetune.network import Classifier
from protloc.parallel import in_order


def answer(model: Classifier, fields: Fields, places: np.ndarray, machine: Machine) -> Tensor:
    """The logits of the fields at `places`, float32 (fields, classes), on the CPU.

    A field is shown whole, as when it is embedded: no cell is left out, and frozen and trained networks are
    asked the same. Blocks are filled up with their last field, so that a field has the same bits in any
    company.
    """

    def load(block: np.ndarray) -> Tensor:
        images = [fields[places[row]] for row in block]
        return machine.pinned(torch.stack(images + images[-1:] * (machine.block - len(images))))

    @torch.inference_mode()
    def compute(loaded: tuple[np.ndarray, Tensor]) -> Tensor:
        with machine.precision():
            return model(machine.placed(loaded[1]))[: len(loaded[0])].cpu()

    blocks = _blocks([fields.sizes[place] for place in places], machine.block)
    waiting = in_order(load, blocks, workers=machine.threads, ahead=2 * machine.threads)
    answered = in_order(compute, waiting, workers=machine.lanes, ahead=machine.lanes)
    found = {row: logits for (rows, _), block in answered for row, logits in zip(rows, block, strict=True)}
    return torch.stack([found[row] for row in range(len(places))])


def _blocks(sizes: list[tuple[int, int]], count: int) -> Iterator[np.ndarray]:
    """Yield rows, up to `count` at a time, of fields of one size."""
    by_size = defaultdict(list)
    for row, size in enumerate(sizes):
        by_size[size].append(row)
    for rows in by_size.values():
        yield from (np.array(rows[start : start + count]) for start in range(0, len(rows), count))
