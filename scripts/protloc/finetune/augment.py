"""A training crop of a field: what may happen to an image under a microscope, and nothing else."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from protloc.config.settings import Augment


def crop(image: Tensor, px: int, augment: Augment, rng: np.random.Generator) -> Tensor:
    """A random crop of an image (channels, height, width), float32 (channels, px, px).

    It is enlarged a little, mirrored, turned by quarters, and each channel changes in gain and offset. All is
    drawn from `rng`; the image must be at least px high and wide.
    """
    side = round(px * rng.uniform(augment.crop_share, 1))
    top, left = (int(rng.integers(extent - side + 1)) for extent in image.shape[-2:])
    window = image[:, top : top + side, left : left + side]
    if side != px:
        window = interpolate(window[None], size=(px, px), mode="bilinear", align_corners=False)[0]
    if augment.flips:
        window = torch.rot90(window, int(rng.integers(4)), (1, 2))
        window = window.flip(2) if rng.random() < 0.5 else window
    return _intensity(window, augment, rng)


def _intensity(image: Tensor, augment: Augment, rng: np.random.Generator) -> Tensor:
    """The image with another gain, at most 1 + `gain` or its inverse, and offset in each channel."""
    channels = (len(image), 1, 1)
    gain = (1 + augment.gain) ** rng.uniform(-1, 1, channels)
    offset = augment.offset * rng.uniform(-1, 1, channels)
    return image * torch.from_numpy(gain.astype(np.float32)) + torch.from_numpy(offset.astype(np.float32))
