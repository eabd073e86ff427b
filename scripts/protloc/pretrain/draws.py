"""What chance decides in a training, from seed and number alone: a run that goes on draws the same again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from protloc.config.settings import Pretraining
from protloc.pretrain.crops import Canvas, views

ORDER, VIEWS = range(2)


def order(epoch: int, images: int, settings: Pretraining) -> list[int]:
    """The images of an epoch in random order: each once before any is there again."""
    generator = _generator(settings.seed, ORDER, epoch)
    passes = [torch.randperm(images, generator=generator) for _ in range(settings.repeats)]
    return torch.cat(passes).tolist()


def multi_crop(
    step: int, batch: Sequence[Tensor], settings: Pretraining, device: torch.device
) -> tuple[list[Tensor], list[Tensor]]:
    """The large and the small views of each image of a step's batch."""
    generator = _generator(settings.seed, VIEWS, step)
    canvas = Canvas(batch, device)
    kinds = (
        (settings.large_views, settings.large_px, settings.large_area),
        (settings.small_views, settings.small_px, settings.small_area),
    )
    large, small = (
        [views(canvas, size, area, generator) for _ in range(count)] for count, size, area in kinds
    )
    return large, small


def _generator(seed: int, purpose: int, number: int) -> Generator:
    return Generator().manual_seed((2 * seed + purpose) * 2**32 + number)
