"""Fields of view with the outlines of the nuclei that were found, as the crop store holds them."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from skimage.measure import find_contours

from protloc.choose import spread_over_classes
from protloc.contrast import limits, stretch
from protloc.crops import Crops
from protloc.figures.style import COLOURS, EDGE_MM, INK, MM, WIDTH_MM, note, plain, sheet
from protloc.figures.thumbnail import bar_length, draw_image, place, wrapped
from protloc.flags import FLAGS
from protloc.images import CHANNELS, read_field

ACROSS = 4
GAP, LINE, HEADING, FOOT = 2.5, 2.75, 8.0, 8.0  # mm
SIDE = (WIDTH_MM - 2 * EDGE_MM - (ACROSS - 1) * GAP) / ACROSS
LETTERS, LETTER_PT = 36, 5.0  # of a line below a field; size of a flag's letter
DARK_RIM = withStroke(linewidth=1.2, foreground="black")
CONTRAST = "Nucleus channel from its 1st to its 99.7th percentile"
LOOKS = {
    True: {"color": COLOURS[5], "linestyle": "-", "linewidth": 0.8},
    False: {"color": COLOURS[4], "linestyle": (0, (2.2, 1.2)), "linewidth": 0.8},
}
LETTER_OF = dict(zip(FLAGS, string.ascii_lowercase, strict=False))


def draw_cells_overlays(
    fovs: pd.DataFrame,
    proteins: pd.DataFrame,
    segmented: pd.DataFrame,
    cells: pd.DataFrame,
    crops: Crops,
    raw: Path,
    *,
    count: int,
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the sheet: up to `count` fields, spread over classes, the nucleus channel in grey with outlines.

    The tables are those of these names, `crops` is the store that `cells` lists, the fields lie below `raw`.
    Nothing is segmented again: an outline is what the cell's crop says, at the crop's place.
    """
    fields = _choose(fovs, proteins, segmented, count)
    words = [_words(field) for _, field in fields.iterrows()]
    pitch = SIDE + max(map(len, words)) * LINE + GAP
    bar_um = bar_length(fields)
    with sheet(HEADING + -(-len(fields) // ACROSS) * pitch + FOOT, outputs, dpi=250, photos=True) as figure:
        _legend(figure, cells, len(segmented))
        for number, (_, field) in enumerate(fields.iterrows()):
            left = EDGE_MM + number % ACROSS * (SIDE + GAP)
            axis = place(figure, left, HEADING + number // ACROSS * pitch, SIDE)
            bar = bar_um / (max(field["width"], field["height"]) * field["pixel_size_um"])
            draw_image(axis, _grey(field, raw), bar, INK, words[number])
            _draw_nuclei(axis, cells[cells["fov_id"] == field["fov_id"]], crops)
        note(figure, f"{_letters(cells)}\n{CONTRAST}; bars {bar_um} µm.", simulated)


def _choose(fovs: pd.DataFrame, proteins: pd.DataFrame, segmented: pd.DataFrame, count: int) -> pd.DataFrame:
    """The fields that are shown, rows of both tables joined."""
    labels = dict(zip(proteins["gene"], proteins["grade_3"].map(list), strict=True))
    both = fovs.drop(columns="problem").merge(segmented, on="fov_id", validate="one_to_one")
    main = both["gene"].map(lambda gene: (labels.get(gene) or ["none"])[0])
    return spread_over_classes(both.assign(label=main), count)


def _grey(field: pd.Series, raw: Path) -> np.ndarray:
    """The nucleus channel of a field: uint8 (height, width, 3)."""
    counts = read_field(raw, field["key"], field["sha256"])[CHANNELS.index("nucleus")][None]
    grey = np.rint(255 * stretch(counts.astype(np.float32), *limits(counts))).astype(np.uint8)
    return np.repeat(grey[0, ..., None], 3, axis=2)


def _draw_nuclei(axis: Axes, cells: pd.DataFrame, crops: Crops) -> None:
    """Draw the outline of each nucleus of a field, and the letters of its flags in its middle."""
    for kept, look in LOOKS.items():
        some = cells[cells["kept"] == kept]
        masks = crops.masks(some["row"].to_numpy(), "nucleus")
        corners = some[["left", "top"]].to_numpy()
        lines = [line + at for mask, at in zip(masks, corners, strict=True) for line in outlines(mask)]
        axis.add_collection(LineCollection(lines, colors=look["color"], **_stroke(look)), autolim=False)
    for _, cell in cells.iterrows():
        letters = "".join(letter for flag, letter in LETTER_OF.items() if cell[flag])
        colour = LOOKS[bool(cell["kept"])]["color"]
        axis.text(
            cell["x_px"] + 0.5, cell["y_px"] + 0.5, letters,
            color=colour, fontsize=LETTER_PT, fontweight="bold", ha="center", va="center", clip_on=True,
            path_effects=[DARK_RIM],
        )  # fmt: skip


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Outlines of a mask, bool (side, side): x and y in px from its corner, float64 (points, 2) each.

    A pixel covers the place from its number to the next; an outline passes through the outermost ones.
    """
    padded = np.pad(mask, 1)  # so that an outline closes at the crop's edge
    return [line[:, ::-1] - 0.5 for line in find_contours(padded, 0.5)]


def _stroke(look: Mapping[str, object]) -> dict[str, object]:
    return {"linestyles": [look["linestyle"]], "linewidths": [look["linewidth"]]}


def _legend(figure: Figure, cells: pd.DataFrame, fields: int) -> None:
    """Say at the head what the outlines are, with counts over all fields of the study."""
    height = figure.get_figheight() / MM
    y = 1 - 4.0 / height
    left = EDGE_MM
    for kept, look in LOOKS.items():
        words = (
            f"{'kept' if kept else 'not kept'}: {(cells['kept'] == kept).sum():,} of {len(cells):,} nuclei"
        )
        words += f" in {fields:,} fields" if kept else ""
        line = Line2D([left / WIDTH_MM, (left + 8) / WIDTH_MM], [y, y], **look | {"linewidth": 1.6})
        figure.add_artist(line)
        figure.text((left + 10) / WIDTH_MM, y, words, va="center_baseline")
        left += 75.0


def _letters(cells: pd.DataFrame) -> str:
    """What the letters say that occur, with counts over all fields of the study."""
    counts = {flag: int(cells[flag].sum()) for flag in FLAGS}
    said = [f"{LETTER_OF[flag]} {plain(flag)} ({count:,})" for flag, count in counts.items() if count]
    return f"Flags: {', '.join(said)}." if said else "No nucleus has a flag."


def _words(field: pd.Series) -> list[str]:
    """Below a field: its protein and id, how many nuclei are kept, what is doubtful."""
    counts = f"{plain(field['label'])}: {field['kept']} of {field['nuclei']} nuclei kept"
    problem = wrapped(field["problem"], LETTERS, 2) if isinstance(field["problem"], str) else []
    return [f"{field['gene']} {field['fov_id']}", counts, *problem]
