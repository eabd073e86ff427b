"""Fields of view with the places that networks' vectors come from: attention, or similarity to the vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from skimage.measure import block_reduce

from protloc.contrast import limits, stretch
from protloc.figures.style import EDGE_MM, INK, MM, SMALL_PT, WIDTH_MM, missing, note, plain, sheet, write
from protloc.figures.thumbnail import LARGEST as MOST_PX
from protloc.figures.thumbnail import bar_length, draw_image, place, wrapped
from protloc.images import CHANNELS, read_field

GAP, LINE, HEADING, FOOT = 2.5, 2.75, 4.5, 8.0  # mm
LARGEST, SCALE, BAR, LETTER = 36.0, 14.0, 2.0, 1.22  # mm: a field; room for a scale, its width; a letter
LINES = 2  # of a label, below the protein's name
COLOURS = "viridis"
KINDS = {
    "class_token": "attention of the class token; 1: even",
    "pool": "attention of the pool; 1: even",
    "similarity": "cosine similarity to the field's vector",
}


def values_of_maps(maps: pd.DataFrame) -> pd.DataFrame:
    """The values of the table `attention`, a row for each place that is drawn, from the upper left."""
    tables = [
        pd.DataFrame({"row": row.ravel(), "column": column.ravel(), "value": one.places}).assign(
            backbone=one.backbone, strategy=one.strategy, fov_id=one.fov_id, kind=one.kind
        )
        for one in maps.itertuples(index=False)
        for row, column in [np.indices((one.height, one.width))]
    ]
    columns = ["backbone", "strategy", "fov_id", "kind", "row", "column", "value"]
    return pd.concat(tables)[columns] if tables else pd.DataFrame(columns=columns)


def draw_attention(
    maps: pd.DataFrame,
    fovs: pd.DataFrame,
    titles: Mapping[str, str],
    raw: Path,
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the sheet: a column per field; its channels, and below a row of maps for each backbone.

    `maps` and `fovs` are the tables attention and fovs, `titles` are by backbone and say their order, the
    fields lie below `raw`. A row of maps has one colour scale, from its least to its largest value. Backbones
    without a map are named below.
    """
    if maps.empty:
        return _draw_nothing(titles, simulated, outputs)
    shown = maps.drop_duplicates("fov_id").sort_values(["label", "fov_id"])
    fields = fovs.set_index("fov_id", drop=False).loc[shown["fov_id"]].assign(label=shown["label"].to_numpy())
    side = min(LARGEST, (WIDTH_MM - 2 * EDGE_MM - SCALE - (len(fields) - 1) * GAP) / len(fields))
    rows = [name for name in titles if name in set(maps["backbone"])]
    bar_um = bar_length(fields)
    pitch = HEADING + side + GAP
    height = EDGE_MM + pitch * (len(CHANNELS) + len(rows)) + (1 + LINES) * LINE + FOOT
    with sheet(height, outputs, dpi=200, photos=True) as figure:
        top = EDGE_MM
        _draw_channels(figure, top, fields, raw, side, bar_um)
        top += pitch * len(CHANNELS) + (1 + LINES) * LINE
        for name in rows:
            of_backbone = maps[maps["backbone"] == name].set_index("fov_id")
            of_backbone = of_backbone.loc[list(fields["fov_id"])]
            kind = KINDS[of_backbone["kind"].iloc[0]]
            write(figure, f"{titles[name]}: {kind}", top, fontweight="bold")
            _draw_maps(figure, top + HEADING, of_backbone, fields, side)
            top += pitch
        without = _without([titles[name] for name in titles if name not in rows])
        words = f"Channels from their 1st to their 99.7th percentile; bars {bar_um} µm. {without}"
        note(figure, words, simulated)


def _without(titles: Sequence[str]) -> str:
    """The sentence on backbones that no map can be made of, if there are any."""
    return f"No map can be made of {', '.join(titles)}." if titles else ""


def _draw_nothing(titles: Mapping[str, str], simulated: bool, outputs: Sequence[Path]) -> None:
    with sheet(LARGEST, outputs, dpi=200, photos=True) as figure:
        missing(figure, _without([*titles.values()]))
        note(figure, "", simulated)


def _columns(figure: Figure, top: float, count: int, side: float) -> Iterator[Axes]:
    """Axes beside each other, one for each field."""
    for number in range(count):
        yield place(figure, EDGE_MM + number * (side + GAP), top, side)


def _draw_channels(
    figure: Figure, top: float, fields: pd.DataFrame, raw: Path, side: float, bar_um: int
) -> None:
    """Draw both channels of each field in grey, below them its protein and label."""
    counts = [_shown(read_field(raw, field["key"], field["sha256"])) for _, field in fields.iterrows()]
    for number, channel in enumerate(CHANNELS):
        write(figure, f"{channel} channel", top, fontweight="bold")
        last = number == len(CHANNELS) - 1
        axes = _columns(figure, top + HEADING, len(fields), side)
        for axis, grey, (_, field) in zip(axes, counts, fields.iterrows(), strict=True):
            bar = bar_um / (max(field["width"], field["height"]) * field["pixel_size_um"])
            words = [field["gene"], *wrapped(plain(field["label"]), int(side / LETTER), LINES)]
            draw_image(axis, np.repeat(grey[number][..., None], 3, axis=2), bar, INK, words if last else [])
        top += HEADING + side + GAP


def _shown(counts: np.ndarray) -> np.ndarray:
    """Both channels as grey, uint8, averaged down where a field is larger than a thumbnail shows."""
    counts = counts.astype(np.float32)
    step = -(-max(counts.shape[1:]) // MOST_PX)
    counts = block_reduce(counts, (1, step, step), np.mean) if step > 1 else counts
    return np.rint(255 * stretch(counts, *limits(counts))).astype(np.uint8)


def _draw_maps(figure: Figure, top: float, maps: pd.DataFrame, fields: pd.DataFrame, side: float) -> None:
    """Draw the map of each field, a square a place, over the same extent as its channels."""
    numbers = np.concatenate([*maps["places"]])
    low, high = float(numbers.min()), float(numbers.max())
    attention = maps["kind"].iloc[0] != "similarity" and low > 0  # spans decades: a logarithm shows all of it
    norm = (LogNorm if attention else Normalize)(low, high)
    axes = _columns(figure, top, len(fields), side)
    for axis, (_, one), (_, field) in zip(axes, maps.iterrows(), fields.iterrows(), strict=True):
        width, height = field["width"], field["height"]
        picture = axis.imshow(
            one["places"].reshape(one["height"], one["width"]), extent=(0, width, height, 0), cmap=COLOURS,
            norm=norm, interpolation="nearest", aspect="auto",
        )  # fmt: skip
        middle, half = np.array([width, height]) / 2, max(width, height) / 2
        axis.set(xticks=[], yticks=[], facecolor="black")
        axis.spines[:].set_visible(False)
        axis.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] + half, middle[1] - half))
    left = EDGE_MM + len(fields) * (side + GAP)
    sheet_mm = figure.get_figheight() / MM
    where = (left / WIDTH_MM, 1 - (top + side) / sheet_mm, BAR / WIDTH_MM, side / sheet_mm)
    scale = figure.colorbar(picture, cax=figure.add_axes(where))
    ticks = sorted({low, high})
    scale.set_ticks(ticks, labels=[f"{tick:.2f}".replace("-", "−") for tick in ticks], fontsize=SMALL_PT)
    scale.minorticks_off()
    scale.outline.set_linewidth(0.5)
    scale.ax.tick_params(length=1.5, width=0.5, pad=1.5)
