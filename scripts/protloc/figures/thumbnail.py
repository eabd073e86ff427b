"""A field or a cell in small: nucleus blue, tagged protein green, a frame, a scale bar, words below."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from skimage.measure import block_reduce

from protloc.contrast import TINTS, limits, stretch
from protloc.figures.style import INK, MM, SMALL_PT
from protloc.images import read_field

LARGEST = 400  # px: larger fields are averaged down, a thumbnail shows no more
BARS_UM = (50, 20, 10, 5, 2, 1)
CONTRAST = "Nucleus blue, tagged protein green, each channel from its 1st to its 99.7th percentile"


def read_composite(field: pd.Series, raw: Path) -> np.ndarray:
    """The colours of a field (a row of `fovs`) below `raw`: uint8 (height, width, 3)."""
    return composite(read_field(raw, field["key"], field["sha256"]))


def composite(counts: np.ndarray) -> np.ndarray:
    """The colours of an image, counts uint16 (2, height, width): uint8 (height, width, 3), averaged down."""
    counts = counts.astype(np.float32)
    step = -(-max(counts.shape[1:]) // LARGEST)
    counts = block_reduce(counts, (1, step, step), np.mean) if step > 1 else counts
    colours = np.tensordot(stretch(counts, *limits(counts)), TINTS, axes=(0, 0))
    return np.rint(255 * np.clip(colours, 0, 1)).astype(np.uint8)


def bar_length(fields: pd.DataFrame) -> int:
    """The length in µm of one scale bar for all of `fields`: at most a third of the narrowest."""
    narrowest = float((fields[["width", "height"]].max(axis=1) * fields["pixel_size_um"]).min())
    return next((length for length in BARS_UM if length <= narrowest / 3), BARS_UM[-1])


def place(figure: Figure, left: float, top: float, side: float) -> Axes:
    """Square axes at `left` and `top`, mm from the figure's upper left corner."""
    width, height = figure.get_size_inches() / MM
    return figure.add_axes((left / width, 1 - (top + side) / height, side / width, side / height))


def draw_thumbnail(
    axis: Axes, field: pd.Series, raw: Path, *, bar_um: int, frame: str = INK, words: Iterable[str] = ()
) -> None:
    """Show a field in `axis`, framed in the colour `frame`, with lines of `words` below it."""
    side_um = max(field["width"], field["height"]) * field["pixel_size_um"]
    draw_image(axis, read_composite(field, raw), bar_um / side_um, frame, words)


def draw_image(axis: Axes, image: np.ndarray, bar: float, frame: str, words: Iterable[str] = ()) -> None:
    """Show `image` (height, width, 3) amid black square axes, with a scale bar of the length `bar` in it.

    `bar` is a share of the longer side; the frame has the colour `frame`, `words` are lines below it.
    """
    height, width = image.shape[:2]
    middle, half = np.array([width, height]) / 2, max(width, height) / 2
    axis.imshow(image, extent=(0, width, height, 0), interpolation="antialiased")
    (left, top), (right, bottom) = middle - half, middle + half
    axis.set(xticks=[], yticks=[], facecolor="black", xlim=(left, right), ylim=(bottom, top))
    for spine in axis.spines.values():
        spine.set(visible=True, color=frame, linewidth=1.4)
    axis.plot([0.95 - bar, 0.95], [0.06, 0.06], color="white", linewidth=1.6, transform=axis.transAxes)
    axis.text(
        0, -0.04, "\n".join(words), va="top", fontsize=SMALL_PT, linespacing=1.25, transform=axis.transAxes
    )


def wrapped(text: str, letters: int, lines: int) -> list[str]:
    """`text` in at most `lines` lines of `letters`; what does not fit ends in an ellipsis."""
    return textwrap.wrap(text, letters, max_lines=lines, placeholder=" …") or [""]
