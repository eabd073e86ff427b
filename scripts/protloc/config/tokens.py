"""How large an image is as a network is shown it, beside the images of its pretraining. Needs no torch."""

from __future__ import annotations

from typing import Literal, NamedTuple

from protloc.config.backbones import Network

Level = Literal["fov", "cell"]
FEWEST, MOST = 0.25, 4.0  # tokens, as a multiple of those in pretraining, beyond which a user is warned
IMAGES = {"fov": "fields of view are", "cell": "cells are"}


class Shown(NamedTuple):
    """Side of what a network is shown at once, px, and its area as a multiple of that in pretraining.

    For a transformer that is the ratio of the numbers of tokens. None where the row does not say the size of
    the images in pretraining.
    """

    px: int
    ratio: float | None


def rounded(px: float, multiple: int) -> int:
    """A side in px, rounded to a multiple, at least one."""
    return max(1, round(px / multiple)) * multiple


def shown(network: Network, level: Level, side_um: float, scale: float = 1.0) -> Shown:
    """How an image of `side_um` is shown: a field of view, or a crop as wide as the study cuts it.

    `scale` is a multiple of the row's own px per µm. A crop width of the row takes the place of `side_um`; of
    a field in tiles the tile counts.
    """
    px = rounded(_px(network, level, side_um) * scale, network.size_multiple)
    if level == "fov" and network.tile_px is not None:
        px = min(px, network.tile_px)
    return Shown(px, (px / network.pretrained_px) ** 2 if network.pretrained_px else None)


def _px(network: Network, level: Level, side_um: float) -> float:
    if level == "fov":
        return side_um / network.um_per_px
    cell = network.cell
    return cell.px or (cell.crop_um or side_um) / (cell.um_per_px or network.um_per_px)


def warning(network: Network, level: Level, side_um: float, scale: float = 1.0) -> str | None:
    """One line where a network is shown far fewer or far more tokens than in pretraining; else None."""
    px, ratio = shown(network, level, side_um, scale)
    if ratio is None or FEWEST <= ratio <= MOST:
        return None
    at = f" at scale {scale:g}" if scale != 1 else ""
    return (
        f"{network.title}: {IMAGES[level]} shown at {px} px{at}, {ratio:.2g} times the tokens of the "
        f"{network.pretrained_px} px that it was pretrained on"
    )
