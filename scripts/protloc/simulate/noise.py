"""Random textures and random marks, the raw material of every pattern."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import fft, ndimage

Shape = tuple[int, int]
Transfer = Callable[[np.ndarray], np.ndarray]


def noise(rng: np.random.Generator, shape: Shape, scale: float) -> np.ndarray:
    """Smooth noise of mean 0 and variance 1, float32; `scale` is the Gaussian's sigma in px."""
    coarse = 4 if scale >= 6 else 1
    return _filtered(rng, shape, lambda k2: np.exp(-0.5 * k2 * scale**2), coarse)


def grain(rng: np.random.Generator, shape: Shape, scale: float) -> np.ndarray:
    """Band-passed noise of mean 0 and variance 1, float32: grains about three times `scale` px apart."""
    return _filtered(rng, shape, lambda k2: k2 * np.exp(-0.5 * k2 * scale**2))


def _filtered(rng: np.random.Generator, shape: Shape, transfer: Transfer, coarse: int = 1) -> np.ndarray:
    """White noise through a filter; drawn on a grid `coarse` times as wide where no finer detail passes."""
    size = tuple(fft.next_fast_len(-(-n // coarse), real=True) for n in shape)
    spectrum = fft.rfft2(rng.standard_normal(size, dtype=np.float32))
    spectrum *= transfer(_squared_frequency(size, coarse))
    spectrum[0, 0] = 0
    field = _refined(spectrum, size, coarse)[: shape[0], : shape[1]]
    return field / max(float(field.std()), 1e-6)


def _refined(spectrum: np.ndarray, size: Shape, times: int) -> np.ndarray:
    """The image of a spectrum of `size` px, on a grid `times` as fine: (times * height, times * width)."""
    fine = (times * size[0], times * size[1])
    full = np.zeros((fine[0], fine[1] // 2 + 1), spectrum.dtype)
    half = (size[0] + 1) // 2
    full[:half, : spectrum.shape[1]] = spectrum[:half]
    full[half - size[0] :, : spectrum.shape[1]] = spectrum[half:]
    return fft.irfft2(full, fine)


@lru_cache(maxsize=8)
def _squared_frequency(size: Shape, coarse: int) -> np.ndarray:
    """Of each Fourier coefficient of a real image with `coarse` px a sample, (radians per px)², float32."""
    ky, kx = fft.fftfreq(size[0], coarse).astype(np.float32), fft.rfftfreq(size[1], coarse).astype(np.float32)
    return np.float32((2 * np.pi) ** 2) * (ky[:, None] ** 2 + kx**2)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a float32 image; `sigma` in px."""
    return ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=3)


def splat(shape: Shape, y: np.ndarray, x: np.ndarray, weight: np.ndarray | float) -> np.ndarray:
    """An image with `weight` at the points (y, x) px, each shared among four px; points outside drop out."""
    y0, x0 = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    image = np.zeros(shape[0] * shape[1])
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - dy - (y - y0)) * np.abs(1 - dx - (x - x0)) * weight
        inside = (y0 + dy >= 0) & (y0 + dy < shape[0]) & (x0 + dx >= 0) & (x0 + dx < shape[1])
        place = ((y0 + dy) * shape[1] + x0 + dx)[inside]
        image += np.bincount(place, share[inside], minlength=image.size)
    return image.reshape(shape).astype(np.float32)


def dots(shape: Shape, y: np.ndarray, x: np.ndarray, weight: np.ndarray | float, sigma: float) -> np.ndarray:
    """Gaussian spots of height `weight` and width `sigma` px at the points (y, x) px."""
    return blur(splat(shape, y, x, weight), sigma) * np.float32(2 * np.pi * sigma**2)


def paths(
    rng: np.random.Generator, y: np.ndarray, x: np.ndarray, heading: np.ndarray, steps: int, turn: float
) -> tuple[np.ndarray, np.ndarray]:
    """Points (y, x), each (paths, steps), of wandering lines with one px a step.

    `heading` is the first direction in radians, `turn` the standard deviation of its change per step.
    """
    bend = rng.normal(0, turn, (len(y), steps)) + rng.normal(0, turn / 2, (len(y), 1))
    angle = heading[:, None] + np.cumsum(bend, axis=1)
    return y[:, None] + np.cumsum(np.sin(angle), axis=1), x[:, None] + np.cumsum(np.cos(angle), axis=1)
