"""Multi-crop: small views of an image that still show the same cells to a microscopist.

A view is turned by any angle, mirrored, moved and slightly rescaled; its channels change in gain, background
and gamma, each by itself, and in noise. Nothing is done that only photographs need, such as mixing colours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

CPU = torch.device("cpu")
SCALE = (0.8, 1.25)  # a view's extent, times the crop's
GAIN, GAMMA = 1.4, 1.3  # at most this factor, or its inverse
OFFSET, NOISE = 0.05, 0.04  # of the range 0 to 1
DIAGONAL = 2**0.5  # a square turned by any angle lies within one that is so much larger


def views(images: Sequence[Tensor], size: int, generator: Generator, device: torch.device = CPU) -> Tensor:
    """A random view of each image, on `device`: float32 (images, channels, size, size), mostly 0 to 1.

    Images are uint8 (channels, height, width), of any sizes, on the scale that the network is shown. The
    generator is the CPU's; only the noise is drawn on the device.
    """
    window = int(size * SCALE[1] * DIAGONAL) + 1
    cut = torch.stack([_window(image, window, generator) for image in images]).to(device).float() / 255
    return photometric(_similarity(cut, size, generator), generator)


def _window(image: Tensor, side: int, generator: Generator) -> Tensor:
    """A square part of an image, mirrored at the edges where the image is smaller."""
    missing = [max(0, side - extent) for extent in image.shape[-2:]]
    if any(missing):
        margins = [part for gap in reversed(missing) for part in (gap // 2, gap - gap // 2)]
        image = pad(image[None].float(), margins, mode="reflect")[0].to(image.dtype)
    top, left = (
        int(torch.randint(extent - side + 1, (), generator=generator)) for extent in image.shape[-2:]
    )
    return image[:, top : top + side, left : left + side]


def _similarity(windows: Tensor, size: int, generator: Generator) -> Tensor:
    """The middle of each window, turned, mirrored in half of the cases, and rescaled."""
    count, _, side, _ = windows.shape
    angle = 2 * torch.pi * torch.rand(count, generator=generator)
    scale = between(*SCALE, count, generator) * size / side
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    matrix = torch.stack([cosine * mirror, -sine, sine * mirror, cosine], dim=1).reshape(count, 2, 2)
    transform = torch.cat([matrix, torch.zeros(count, 2, 1)], dim=2).to(windows.device)
    grid = affine_grid(transform, [count, windows.shape[1], size, size], align_corners=False)
    return grid_sample(windows, grid, padding_mode="reflection", align_corners=False)


def photometric(images: Tensor, generator: Generator) -> Tensor:
    """The images with another gain, offset, gamma and noise in each channel."""
    shape = (*images.shape[:2], 1, 1)
    gain, gamma = (between(1 / most, most, shape, generator) for most in (GAIN, GAMMA))
    offset = OFFSET * (2 * torch.rand(shape, generator=generator) - 1)
    strength = NOISE * torch.rand(shape, generator=generator)
    gain, gamma, offset, strength = (part.to(images.device) for part in (gain, gamma, offset, strength))
    noise = strength * _normal(images, generator)
    return gain * images.clamp(min=0).pow(gamma) + offset + noise


def _normal(like: Tensor, generator: Generator) -> Tensor:
    """Normal noise of a tensor's shape, drawn where the tensor is."""
    if like.device != CPU:
        seed = int(torch.randint(2**62, (), generator=generator))
        generator = Generator(like.device).manual_seed(seed)
    return torch.randn(like.shape, generator=generator, device=like.device)


def between(low: float, high: float, shape: int | Sequence[int], generator: Generator) -> Tensor:
    """Random numbers, uniform in their logarithm."""
    return low * (high / low) ** torch.rand(shape, generator=generator)
