"""What the microscope does to light: blur, uneven focus, haze, uneven illumination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from protloc.simulate.noise import Shape, blur


@dataclass(frozen=True)
class Optics:
    """One field's optics: sharpness and worst defocus (sigma, px), haze (share), tilt and falloff."""

    sharp: float
    defocus: float
    haze: float
    tilt: tuple[float, float]
    falloff: float


def draw_optics(rng: np.random.Generator) -> Optics:
    """The optics of a field; one in twelve is out of focus."""
    return Optics(
        sharp=float(rng.uniform(0.75, 1.1)),
        defocus=float(rng.uniform(2.0, 3.2) if rng.random() < 1 / 12 else rng.uniform(1.3, 2.0)),
        haze=float(rng.uniform(0.14, 0.28)),
        tilt=(float(rng.uniform(-1, 1)), float(rng.uniform(-1, 1))),
        falloff=float(rng.uniform(0.0, 0.25)),
    )


def through(optics: Optics, light: np.ndarray, lift: np.ndarray) -> np.ndarray:
    """The image of a field of light, both (height, width) float32, in the same units.

    `lift` (height, width) is 1 where what shines lies out of the focus' depth, as cells on others do.
    """
    y, x = _unit_grid(light.shape)
    out_of_focus = np.clip(0.25 + optics.tilt[0] * y + optics.tilt[1] * x + 1.6 * lift, 0, 1)
    sharp, soft = blur(light, optics.sharp), blur(light, optics.defocus)
    focused = sharp + out_of_focus * (soft - sharp)
    focused *= 1 - 0.45 * lift
    hazy = (1 - optics.haze) * focused + optics.haze * _wide(light)
    return hazy * (1 - optics.falloff * 2 * (x * x + y * y))


def _unit_grid(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates from -0.5 to 0.5."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y / shape[0] - 0.5).astype(np.float32), (x / shape[1] - 0.5).astype(np.float32)


def _wide(light: np.ndarray, step: int = 8) -> np.ndarray:
    """Light from far out of focus: blurs of about 8 and 20 px in equal parts, on a coarse grid."""
    height, width = light.shape
    padded = np.pad(light, ((0, -height % step), (0, -width % step)), mode="edge")
    coarse = padded.reshape(padded.shape[0] // step, step, -1, step).mean(axis=(1, 3))
    spread = (blur(coarse, 0.8) + blur(coarse, 2.2)) / 2
    fine = np.repeat(np.repeat(spread, step, 0), step, 1)[:height, :width]
    return ndimage.uniform_filter(fine, step, mode="nearest")
