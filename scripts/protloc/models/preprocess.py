"""From camera counts to what a network is shown, on the network's own device: the one place for it.

Each field and channel is scaled so that its 1st percentile becomes 0 and its 99.9th becomes 1, clipped, and
resized to the network's µm per px. Mean and standard deviation are in the first convolution (`folding`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

LOW, HIGH = 0.01, 0.999  # the camera's offset; and all but the brightest specks
DESCRIPTION = "each field and channel: percentiles 1 and 99.9 to 0 and 1, clipped; antialiased bilinear"


def prepare(
    counts: Tensor, pixel_size_um: float, um_per_px: float, size_multiple: int, device: torch.device
) -> Tensor:
    """Float32 (batch, channel, height, width) from 0 to 1 at `um_per_px`, for uint16 counts of that shape."""
    intensity = rescale(counts.to(device, non_blocking=True).float())
    size = [shown(side, pixel_size_um / um_per_px, size_multiple) for side in counts.shape[-2:]]
    return interpolate(intensity, size=size, mode="bilinear", antialias=True, align_corners=False)


def rescale(counts: Tensor) -> Tensor:
    """Each image and channel from its low to its high percentile as 0 to 1; a constant one becomes 0.

    Percentiles are the nearest ranks, so they are counts that occur, exact in float32 on every device.
    """
    flat = counts.flatten(start_dim=2)
    low, high = (percentile(flat, share)[..., None, None] for share in (LOW, HIGH))
    return ((counts - low) / (high - low).clamp(min=1)).clamp(0, 1)


def percentile(values: Tensor, share: float) -> Tensor:
    """The value of nearest rank at `share` of the last axis."""
    return values.kthvalue(1 + round(share * (values.shape[-1] - 1)), dim=-1).values


def shown(side: int, factor: float, multiple: int) -> int:
    """A side in px after scaling by `factor`, rounded to a multiple, at least one."""
    return max(1, round(side * factor / multiple)) * multiple
