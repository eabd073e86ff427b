"""Multi-crop: views of an image that still show the same cells to a microscopist.

A view is a square of a random share of the image's area, resized, as DINO's RandomResizedCrop; it is also
turned by any angle and mirrored; its channels change in gain, background and gamma, each by itself, and in
noise. Nothing is done that only photographs need, such as mixing colours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

CPU = torch.device("cpu")
GAIN, GAMMA = 1.4, 1.3  # at most this factor, or its inverse
OFFSET, NOISE = 0.05, 0.04  # of the range 0 to 1


class Canvas:
    """Images of any sizes in one tensor, each in the corner of a page as large as the largest.

    Images are uint8 (channels, height, width), on the scale that the network is shown.
    """

    def __init__(self, images: Sequence[Tensor], device: torch.device = CPU) -> None:
        self.extents = torch.tensor([image.shape[-2:] for image in images], dtype=torch.float32)
        height, width = (int(side) for side in self.extents.amax(dim=0))
        pages = torch.zeros(len(images), images[0].shape[0], height, width, dtype=torch.uint8)
        for page, image in zip(pages, images, strict=True):
            page[:, : image.shape[1], : image.shape[2]] = image
        self.pages = pages.to(device).float() / 255

    def sample(self, places: Tensor) -> Tensor:
        """The intensities at `places`, px (images, height, width, 2), x before y from the image's corner."""
        size = places.new_tensor(self.pages.shape[:1:-1])
        return grid_sample(self.pages, 2 * places / size - 1, padding_mode="border", align_corners=False)


def views(canvas: Canvas, size: int, area: Sequence[float], generator: Generator) -> Tensor:
    """A random view of each image, on its device: float32 (images, channels, size, size), mostly 0 to 1.

    `area` is the smallest and largest share of the image's area that it shows. The generator is the CPU's;
    only the noise is drawn on the device. A view that is much smaller than what it shows is the mean of
    several places for each px, so that it is not aliased.
    """
    finer = max(1, round(float(canvas.extents.amin(dim=1).max()) * area[1] ** 0.5 / size))
    places = places_of(canvas.extents, finer * size, area, generator, canvas.pages.device)
    return photometric(avg_pool2d(canvas.sample(places), finer), generator)


def places_of(
    extents: Tensor, size: int, area: Sequence[float], generator: Generator, device: torch.device = CPU
) -> Tensor:
    """Where a random view of each image lies in it: px, float32 (images, size, size, 2), x before y.

    `extents` are heights and widths, (images, 2). A view lies within its image if it fits when turned; what
    is beyond an edge is its mirror image. Shares of the area are uniform, of the largest square.
    """
    count = len(extents)
    share = area[0] + (area[1] - area[0]) * torch.rand(count, generator=generator)
    side = extents.amin(dim=1) * share.sqrt()
    angle = 2 * torch.pi * torch.rand(count, generator=generator)
    cosine, sine = side / 2 * angle.cos(), side / 2 * angle.sin()
    reach = torch.minimum((cosine.abs() + sine.abs())[:, None], extents / 2)
    centre = reach + (extents - 2 * reach) * torch.rand(count, 2, generator=generator)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    rows = [cosine * mirror, -sine, centre[:, 1], sine * mirror, cosine, centre[:, 0]]
    transform = torch.stack(rows, dim=1).reshape(count, 2, 3).to(device)
    places = affine_grid(transform, [count, 1, size, size], align_corners=False)
    return _mirrored(places, extents.flip(1)[:, None, None].to(device))


def _mirrored(places: Tensor, extent: Tensor) -> Tensor:
    """Places beyond 0 or `extent` mirrored at it, and moved to between the middles of the outermost px."""
    inside = extent - (extent - places.remainder(2 * extent)).abs()
    return torch.minimum(inside.clamp(min=0.5), extent - 0.5)


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
