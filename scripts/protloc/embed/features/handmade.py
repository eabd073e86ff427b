"""Hand-made features of a field: intensity, texture, and where the protein is relative to nuclei."""

from __future__ import annotations

import numpy as np

from protloc.embed.features.intensity import above_background, intensity, together
from protloc.embed.features.radial import radial
from protloc.embed.features.texture import texture
from protloc.images import CHANNELS


def compute(counts: np.ndarray, pixel_size_um: float) -> dict[str, float]:
    """Seventy-four named numbers, all finite, for uint16 counts (2, height, width), nucleus then protein.

    Lengths are physical, so that fields of another px size compare. Brightness as such is in two numbers
    alone; the others hardly change with the exposure.
    """
    images = dict(zip(CHANNELS, above_background(counts), strict=True))
    numbers = {
        f"{channel}_{name}": number
        for channel, image in images.items()
        for name, number in intensity(image).items()
    }
    numbers |= together(**images)
    numbers |= texture(images["protein"], pixel_size_um)
    numbers |= radial(images["nucleus"], images["protein"], pixel_size_um)
    return numbers
