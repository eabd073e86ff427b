"""From camera counts to what a network is shown, on the network's own device: the one place for it.

Each image is scaled from its own counts, resized as its view says, and, where its row says so, standardized.
Mean and standard deviation per slot are constants, and so in the first convolution (`folding`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from protloc.models.view import View

LOW, HIGH = 0.01, 0.999  # the camera's offset; and all but the brightest specks
EPSILON = 1e-7  # of DINO4Cells


def prepare(
    counts: Tensor,
    pixel_size_um: float,
    view: View,
    device: torch.device,
    normalization: str = "percentiles",
) -> Tensor:
    """Float32 (batch, channel, height, width) as a view shows uint16 counts of that shape.

    From 0 to 1, but for `standardize`, which has mean 0 and standard deviation 1.
    """
    steps = NORMALIZATIONS[normalization]
    intensity = steps.scale(counts.to(device, non_blocking=True))
    size = view.shown(*counts.shape[-2:], pixel_size_um)
    resized = interpolate(intensity, size=size, mode="bilinear", antialias=True, align_corners=False)
    return steps.finish(resized)


def rescale(counts: Tensor) -> Tensor:
    """Each image and channel from its low to its high percentile as 0 to 1; a constant one becomes 0.

    Percentiles are the nearest ranks, so they are counts that occur, exact in float32 on every device.
    """
    ranks = [1 + round(share * (counts[0, 0].numel() - 1)) for share in (LOW, HIGH)]
    low, high = (value[..., None, None] for value in smallest(counts.flatten(start_dim=2), ranks))
    return _between(counts, low, high).clamp_(0, 1)


def smallest(counts: Tensor, ranks: Sequence[int]) -> list[Tensor]:
    """The counts of the given ranks, from 1, along the last axis: float32, one tensor per rank.

    On a CPU a histogram finds them, for both ranks at once; selecting each took a quarter of a small ViT.
    """
    if counts.is_cuda:
        return [counts.float().kthvalue(rank, dim=-1).values for rank in ranks]
    rows = counts.reshape(-1, counts.shape[-1]).numpy()
    found = np.array([np.searchsorted(np.bincount(row).cumsum(), ranks) for row in rows], dtype=np.float32)
    return [torch.from_numpy(column).reshape(counts.shape[:-1]) for column in found.T]


def stretch(counts: Tensor) -> Tensor:
    """Each image and channel from its minimum to its maximum as 0 to 1; a constant one becomes 0."""
    values = counts.float()
    return _between(counts, values.amin(dim=(-2, -1), keepdim=True), values.amax(dim=(-2, -1), keepdim=True))


def stretch_together(counts: Tensor) -> Tensor:
    """Each image from the minimum to the maximum of all its channels as 0 to 1; a constant one becomes 0.

    So SubCell is trained: czi-ai/sub-cell-embed@a81b11c:data/dataset.py:18-26.
    """
    values, axes = counts.float(), (-3, -2, -1)
    return _between(counts, values.amin(dim=axes, keepdim=True), values.amax(dim=axes, keepdim=True))


def _between(counts: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The counts with `low` as 0 and `high` as 1, float32."""
    return counts.float().sub_(low).div_((high - low).clamp(min=1))


def standardize(images: Tensor) -> Tensor:
    """Each image and channel with mean 0 and standard deviation 1; a constant one becomes 0.

    The moments are summed in float64, where the order of a sum does not show. DINO4Cells does the same to
    8-bit images that were stretched to 0-255; here the counts keep their 16 bits.
    """
    wide = images.double()
    std, mean = torch.std_mean(wide, dim=(-2, -1), correction=0, keepdim=True)
    return ((wide - mean) / (std + EPSILON)).to(images.dtype)


class Steps(NamedTuple):
    """A normalization: what is done to counts, what to the resized image, and how embedding files name it."""

    scale: Callable[[Tensor], Tensor]
    finish: Callable[[Tensor], Tensor]
    description: str


def _as_is(images: Tensor) -> Tensor:
    return images


NORMALIZATIONS = {
    "standardize_first": Steps(
        lambda counts: standardize(stretch(counts)),
        _as_is,
        "each image and channel: (x - mean) / (std + 1e-7); antialiased bilinear",
    ),
    "percentiles": Steps(
        rescale,
        _as_is,
        "each image and channel: percentiles 1 and 99.9 to 0 and 1, clipped; antialiased bilinear",
    ),
    "minmax": Steps(
        stretch, _as_is, "each image and channel: minimum and maximum to 0 and 1; antialiased bilinear"
    ),
    "minmax_joint": Steps(
        stretch_together,
        _as_is,
        "each image: minimum and maximum of all channels together to 0 and 1; antialiased bilinear",
    ),
    "standardize": Steps(
        stretch,
        standardize,
        "each image and channel: minimum and maximum to 0 and 1; antialiased bilinear; "
        "(x - mean) / (std + 1e-7)",
    ),
}
