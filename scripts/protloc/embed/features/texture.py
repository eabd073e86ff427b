"""How the protein's light is grained: band energies from fine to coarse, spots, and local patterns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from protloc.embed.features.intensity import moments, standardized

FINEST_UM = 0.2  # about the resolution of the microscope
OCTAVES = 5
PATTERN_OCTAVE = 2  # finer ones are the camera's noise
SPOT_HEIGHT = 2.0  # standard deviations of its band
NEIGHBOURS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))  # going round
PATTERNS = len(NEIGHBOURS) + 2


def texture(protein: np.ndarray, pixel_size_um: float) -> dict[str, float]:
    """Texture numbers of the protein channel, float32 (height, width) above background."""
    numbers: dict[str, float] = {}
    spread = float(protein.std())
    for octave, (sigma_um, band) in enumerate(bands(protein, pixel_size_um)):
        numbers |= _band_numbers(f"band_{sigma_um:.1f}um", band, spread)
        if octave == PATTERN_OCTAVE:
            shares = enumerate(local_patterns(band))
            numbers |= {f"pattern_{sigma_um:.1f}um_{n}": float(part) for n, part in shares}
    return numbers


def bands(image: np.ndarray, pixel_size_um: float) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (sigma in µm, band): differences of Gaussians an octave apart, ever halved in size."""
    sigma = FINEST_UM / pixel_size_um
    smooth = ndimage.gaussian_filter(image, sigma, truncate=3)
    yield FINEST_UM, image - smooth
    for octave in range(1, OCTAVES):
        level = smooth if octave == 1 else smooth[::2, ::2]
        smooth = ndimage.gaussian_filter(level, sigma * np.sqrt(3), truncate=3)  # sigma becomes 2 sigma
        yield FINEST_UM * 2**octave, level - smooth


def _band_numbers(name: str, band: np.ndarray, spread: float) -> dict[str, float]:
    """Energy of a band over the image's, its asymmetry and tails, and the density of its spots."""
    deviation = standardized(band)
    peaks = (highest_around(deviation) == deviation) & (deviation > SPOT_HEIGHT)
    return {
        f"{name}_energy": float(np.log2((band.std() + 1e-3) / (spread + 1e-3))),
        **{f"{name}_{moment}": value for moment, value in moments(deviation).items()},
        f"{name}_spots": float(np.sqrt(peaks.mean())),
    }


def highest_around(image: np.ndarray) -> np.ndarray:
    """The maximum of each pixel and its 8 neighbours: ndimage.maximum_filter needs three times as long."""
    for axis in (0, 1):
        highest = image.copy()
        before, after = ((slice(None),) * axis + (part,) for part in (np.s_[:-1], np.s_[1:]))
        np.maximum(highest[before], image[after], out=highest[before])
        np.maximum(highest[after], image[before], out=highest[after])
        image = highest
    return image


def local_patterns(image: np.ndarray) -> np.ndarray:
    """Shares of local binary patterns, rotation-invariant and uniform (Ojala et al. 2002, 8 neighbours).

    Shares of: 0 to 8 brighter neighbours in one arc; and all other pixels.
    """
    centre = image[1:-1, 1:-1]
    height, width = image.shape
    brighter = [image[1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx] > centre for dy, dx in NEIGHBOURS]
    count = sum(mask.astype(np.uint8) for mask in brighter)
    turns = sum(
        (a != b).astype(np.uint8) for a, b in zip(brighter, [*brighter[1:], brighter[0]], strict=True)
    )
    pattern = np.where(turns <= 2, count, PATTERNS - 1)
    return np.bincount(pattern.ravel(), minlength=PATTERNS) / pattern.size
