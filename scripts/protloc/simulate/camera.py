"""What an EM-CCD camera makes of light: offset, shot noise with gain, read noise, saturation.

Gain and read noise were fitted to the local second differences of three real OpenCell Hoechst projections.
"""

from __future__ import annotations

import numpy as np

GAIN = 75.0  # counts per detected photon, with the excess noise of the multiplication
READ_NOISE = 36.0  # counts, with that of the dim background, which a projection evens out
SATURATION = 65535


def expose(light: np.ndarray, offset: float, rng: np.random.Generator) -> np.ndarray:
    """The counts (uint16) of `light` (counts above the offset, float32) with noise.

    Shot noise is Anscombe's transform run backwards: Poisson's mean, variance and skew from normal noise.
    """
    photons = np.maximum(light, 0) / np.float32(GAIN)
    root = np.sqrt(photons + np.float32(0.125)) + 0.5 * rng.standard_normal(light.shape, dtype=np.float32)
    shot = np.float32(GAIN) * (np.square(np.maximum(root, 0)) - np.float32(0.375))
    counts = offset + shot + np.float32(READ_NOISE) * rng.standard_normal(light.shape, dtype=np.float32)
    return np.clip(np.rint(counts), 0, SATURATION).astype(np.uint16)
