"""The pair that distils itself: a student that learns, and a teacher that follows it slowly."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn

from protloc.config.backbones import Network
from protloc.config.settings import Pretraining
from protloc.models.weights import build
from protloc.pretrain.objective import Head


class Encoder(nn.Module):
    """A network of the registry, random at first, that takes intensities from 0 to 1, with a head behind."""

    def __init__(self, network: Network, settings: Pretraining) -> None:
        super().__init__()
        blank = network.model_copy(update={"weights": None, "layout": None, "seed": settings.seed})
        self.backbone = build(blank).train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            shape = (settings.head_layers, settings.head_width, settings.bottleneck, settings.prototypes)
            self.head = Head(self.backbone.num_features, *shape)
        mean, std = (torch.tensor(values).reshape(1, -1, 1, 1) for values in network.moments)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def features(self, images: Tensor) -> Tensor:
        """The backbone's vectors (images, dimension) of images (images, channels, height, width)."""
        return self.backbone((images - self.mean) / self.std)

    def forward(self, views: Sequence[Tensor]) -> list[Tensor]:
        """The cosines with each prototype, (images, prototypes), of each view; views have one size."""
        return list(self.head(self.features(torch.cat(list(views)))).chunk(len(views)))


def teacher_of(student: Encoder) -> Encoder:
    """A copy that no gradient reaches."""
    return copy.deepcopy(student).requires_grad_(False)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move the teacher's weights a little towards the student's: an exponential moving average."""
    pairs = zip(
        chain(teacher.parameters(), teacher.buffers()),
        chain(student.parameters(), student.buffers()),
        strict=True,
    )
    for own, other in pairs:
        own.lerp_(other, 1 - momentum) if own.is_floating_point() else own.copy_(other)
