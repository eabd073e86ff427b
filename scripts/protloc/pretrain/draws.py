"""What chance decides in a training, from seed and number alone: a run that goes on draws the same again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from protloc.config.settings import Pretraining
from protloc.pretrain.crops import views

ORDER, VIEWS = range(2)


def order(epoch: int, images: int, settings: Pretraining) -> list[int]:
    """The images of an epoch in random order."""
    return torch.randperm(images, generator=_generator(settings.seed, ORDER, epoch)).tolist()


def multi_crop(
    step: int, batch: Sequence[Tensor], settings: Pretraining, device: torch.device
) -> tuple[list[Tensor], list[Tensor]]:
    """The large and the small views of each image of a step's batch."""
    generator = _generator(settings.seed, VIEWS, step)
    sizes = [settings.large_px] * settings.large_views + [settings.small_px] * settings.small_views
    made = [views(batch, size, generator, device) for size in sizes]
    return made[: settings.large_views], made[settings.large_views :]


def _generator(seed: int, purpose: int, number: int) -> Generator:
    return Generator().manual_seed((2 * seed + purpose) * 2**32 + number)
