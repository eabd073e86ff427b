"""A contact sheet for the eye: real fields, and beside each what the simulator makes of its labels."""

from __future__ import annotations

import csv
from math import ceil
from pathlib import Path

import numpy as np
from scipy import ndimage

from protloc.atomic import atomic
from protloc.errors import InputError
from protloc.images import CHANNELS, decode_field
from protloc.opencell import COLUMNS
from protloc.simulate.field import render_field
from protloc.simulate.noise import blur
from protloc.simulate.traits import draw_traits, of_cell_line

SIMULATED = 3  # fields beside each real one
VIEW_PX = 300  # a narrower file is a view of this width, shrunk for display, as the real samples are
VIEWS = (*CHANNELS, "both")
FIELDS = "microscopy/raw/*/OC-FOV_*_proj.tif"
DARK, LIGHT = 1.0, (97.0, 99.7)  # percentiles shown black, and white in nucleus and protein
THUMB_INCH = 1.1
GAP = 4  # px between thumbnails


def realism_sheet(mirror: Path, labels: Path, output: Path) -> None:
    """Write a PNG: a row per real field below `mirror`: itself, then three simulated of the same grades.

    Each is shown as nucleus, protein and both (blue and green), all by one contrast rule. `labels` is
    OpenCell's label table. Raises InputError where there is no field, or a field's gene is not in the table.
    """
    paths = sorted(mirror.glob(FIELDS))
    if not paths:
        raise InputError(f"{mirror}: holds no {FIELDS}; give the folder that mirrors OpenCell's bucket")
    rows = []
    for number, (path, grades) in enumerate(zip(paths, _grades(labels, paths), strict=True)):
        real = decode_field(path.read_bytes(), path.name)
        fields = [real, *_simulated(grades, real.shape[1:], number)]
        rows.append((f"{_gene(path)}\n{next(iter(grades))}", [v for field in fields for v in _views(field)]))
    _draw(rows, output)


def _draw(rows: list[tuple[str, list[np.ndarray]]], output: Path) -> None:
    """Write a PNG with a row of thumbnails, all of one shape, per name."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = (1 + SIMULATED) * len(VIEWS) * THUMB_INCH
    figure = Figure(figsize=(width, len(rows) * THUMB_INCH * 0.9 + 0.5), layout="constrained")
    axes = figure.subplots(len(rows), squeeze=False)[:, 0]
    for place, (name, images) in zip(axes, rows, strict=True):
        place.imshow(_strip(images), interpolation="antialiased")
        place.set(xticks=[], yticks=[])
        place.set_ylabel(name, fontsize=6)
    wide = rows[0][1][0].shape[1] + GAP
    titles = _titles()
    axes[0].xaxis.tick_top()
    axes[0].set_xticks([(n + 0.5) * wide for n in range(len(titles))], titles, fontsize=6)
    with atomic(output) as temporary:
        FigureCanvasAgg(figure).print_figure(temporary, format="png", dpi=150)


def _strip(images: list[np.ndarray]) -> np.ndarray:
    """Images (height, width, 3) of one height side by side, with white gaps; the last gap is left off."""
    gap = np.ones((len(images[0]), GAP, 3))
    return np.concatenate([part for image in images for part in (image, gap)][:-1], axis=1)


def _titles() -> list[str]:
    """What each column shows."""
    kinds = ("real", *(f"simulated {n + 1}" for n in range(SIMULATED)))
    return [f"{kind}: {view}" for kind in kinds for view in VIEWS]


def _gene(path: Path) -> str:
    """The gene in a field's key."""
    return path.parent.name.split("_")[0]


def _grades(labels: Path, paths: list[Path]) -> list[dict[str, int]]:
    """For each field the grade (3, 2 or 1) of each localization of its protein, highest first."""
    with labels.open(newline="", encoding="utf-8") as file:
        table = {
            row[COLUMNS[0]]: {name: 5 - n for n in (2, 3, 4) for name in row[COLUMNS[n]].split(";") if name}
            for row in csv.DictReader(file)
        }
    for path in paths:
        if _gene(path) not in table:
            raise InputError(f"{labels}: has no row for {_gene(path)}, of which there is {path.name}")
    return [table[_gene(path)] for path in paths]


def _simulated(grades: dict[str, int], shape: tuple[int, int], number: int) -> list[np.ndarray]:
    """Fields (2, height, width), each of another invented protein with these grades, counts."""
    fields = []
    scale = max(1.0, VIEW_PX / shape[1])
    for n in range(SIMULATED):
        rng = np.random.default_rng([number, n])
        traits = of_cell_line(draw_traits(rng), rng)
        image = render_field(grades, traits, ceil(scale * max(shape)), rng).image
        fields.append(_shrunk(image, scale)[:, : shape[0], : shape[1]])
    return fields


def _shrunk(image: np.ndarray, scale: float) -> np.ndarray:
    """An image (2, height, width) with pixels `scale` times as large, counts, float32."""
    smooth = [blur(channel.astype(np.float32), (scale - 1) / 2) for channel in image]
    return np.stack([ndimage.zoom(channel, 1 / scale, order=1) for channel in smooth])


def _views(field: np.ndarray) -> list[np.ndarray]:
    """Nucleus and protein in grey, and both: nucleus blue, protein green; RGB (height, width, 3), 0 to 1."""
    nucleus, protein = (_stretched(channel, light) for channel, light in zip(field, LIGHT, strict=True))
    both = np.stack([np.zeros_like(nucleus), protein, nucleus], axis=-1)
    return [np.repeat(nucleus[..., None], 3, -1), np.repeat(protein[..., None], 3, -1), both]


def _stretched(channel: np.ndarray, light: float) -> np.ndarray:
    """A channel (height, width) with its dark per cent at 0 and its percentile `light` at 1."""
    low, high = np.percentile(channel, (DARK, light))
    return np.clip((channel - low) / max(high - low, 1), 0, 1)
