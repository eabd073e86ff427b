"""The one style of all figures, and how they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

MM = 1 / 25.4  # inches
WIDTH_MM = 183.0  # two columns of a journal
EDGE_MM = 3.0
TEXT_PT, SMALL_PT = 7.0, 6.0
INK, GREY = "#222222", "#767676"
# Okabe & Ito's colours, told apart by readers with any colour vision; yellow is left out, too pale for lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
RIGHT, WRONG = COLOURS[0], COLOURS[1]
MARKS = {True: "✓", False: "✗"}
SIMULATED = "Simulated data: no cells were imaged."
SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "xtick.labelsize": TEXT_PT,
    "ytick.labelsize": TEXT_PT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "svg.hashsalt": "protloc",
}
PREVIEW_PX, PREVIEW_QUALITY = 16383, 75  # most rows that WebP has; of 100
METADATA = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}


_DIGEST: ContextVar[str] = ContextVar("digest", default="")


@contextmanager
def marked(digest: str) -> Iterator[None]:
    """Figures made within the block print `digest`, by which `protloc audit` finds what made them."""
    token = _DIGEST.set(digest)
    try:
        yield
    finally:
        _DIGEST.reset(token)


@contextmanager
def sheet(
    height_mm: float, outputs: Sequence[Path], *, dpi: int = 300, photos: bool = False
) -> Iterator[Figure]:
    """Yield an empty figure of full width in the house style; write it to each of `outputs` (.svg, .png).

    A sheet of `photos` is reduced to 256 colours: a third of the bytes, and the eye does not see it. As .webp
    it is a preview for pages, with a fifth of these.
    """
    with matplotlib.style.context(SETTINGS, after_reset=True):
        figure = Figure(figsize=(WIDTH_MM * MM, height_mm * MM), dpi=dpi)
        canvas = FigureCanvasAgg(figure)
        yield figure
        _print_digest(figure)
        if photos:
            canvas.draw()
            picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        for path in outputs:
            if photos:
                _write_photos(picture.copy(), path)
            else:
                figure.savefig(path, dpi=dpi, metadata=METADATA[path.suffix])


def _write_photos(picture: Image.Image, path: Path) -> None:
    """Write a sheet of photos; a preview that is too tall for its format is made smaller as a whole."""
    if path.suffix == ".webp":
        picture.thumbnail((picture.width, PREVIEW_PX), Image.Resampling.LANCZOS)
        picture.save(path, format="webp", quality=PREVIEW_QUALITY)
    else:
        picture.quantize(256).save(path, format="png", optimize=True)


def _print_digest(figure: Figure) -> None:
    """Along the right edge, up from the corner: small, and out of the way of what the figure shows."""
    width, height = figure.get_size_inches() / MM
    figure.text(
        1 - 0.4 / width, 2.2 / height, _DIGEST.get(), rotation=90, ha="right", color=GREY, fontsize=4.0
    )


def note(figure: Figure, text: str, simulated: bool, left_mm: float = EDGE_MM) -> None:
    """Write a line below the figure, and at its right in bold if the data are simulated."""
    width, height = figure.get_size_inches() / MM
    figure.text(left_mm / width, 2.2 / height, text, color=GREY, fontsize=SMALL_PT)
    if simulated:
        right = 1 - EDGE_MM / width
        figure.text(right, 2.2 / height, SIMULATED, ha="right", fontsize=SMALL_PT, fontweight="bold")


def write(figure: Figure, text: str, top_mm: float, **look: object) -> None:
    """Write a heading at the left edge, its upper side `top_mm` below the figure's."""
    height = figure.get_figheight() / MM
    figure.text(EDGE_MM / WIDTH_MM, 1 - top_mm / height, text, va="top", **look)


def missing(figure: Figure, text: str) -> None:
    """Write in the middle of the figure why there is nothing to draw."""
    figure.text(0.5, 0.5, text, ha="center", va="center", color=GREY)


def plain(label: str) -> str:
    """A localization, or a strategy with its scale, as people write it."""
    return label.replace("_", " ").replace("-x", ", scale ")
