"""The cells of one field: nuclei, areas, measurements, flags, crops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from skimage.segmentation import expand_labels

from protloc.cells.flags import field_problem, flag_nuclei
from protloc.cells.focus import rim_blur
from protloc.cells.nuclei.methods import SEGMENTERS
from protloc.cut import background, corners, cut, padded_fraction, side_px
from protloc.fields import Field


@dataclass(frozen=True)
class CellsOfField:
    """Columns of `cells` but for ids, gene and row; crops, uint16 (cells, 2, side, side); masks; the problem.

    rows: an array (cells,) for each column, since small data frames cost more time than their content.
    nuclei, others: bool (cells, side, side), a cell's own nucleus, and what belongs to other cells.
    """

    rows: dict[str, np.ndarray]
    crops: np.ndarray
    nuclei: np.ndarray
    others: np.ndarray
    problem: str | None


def cells_of(field: Field, counts: np.ndarray, settings: Mapping[str, Any], store_um: float) -> CellsOfField:
    """The cells of a field with the given counts; `settings` are those of the group `cells`.

    Crops are `store_um` wide. Flags are about the study's own crops, `cells.crop_um` wide.
    """
    scale = field.pixel_size_um
    nuclei = SEGMENTERS[settings["segmenter"]](counts[0], scale)
    areas = expand_labels(nuclei, settings["reach_um"] / scale)
    side, dark, centroids = side_px(store_um, scale), background(counts), centroids_of(nuclei)
    at = corners(centroids, side)
    labels = np.arange(1, len(at) + 1)
    owners = cut(np.stack([nuclei, areas]), at, side, (0, 0))
    own = owners == labels[:, None, None, None]
    rows = {"label": labels} | _of_field(field, nuclei.shape, dark, len(at))
    rows |= _places(at, side, centroids, scale)
    rows["padded_fraction"] = padded_fraction(rows, side_px(settings["crop_um"], scale))
    blur = rim_blur(nuclei, counts[0])
    flags = flag_nuclei(nuclei, counts[0], blur, scale)
    flags["saturated"] |= np.isin(labels, areas[counts[1] == np.iinfo(counts.dtype).max])
    flags["beyond_field"] = rows["padded_fraction"] > settings["max_padding"]
    rows |= measurements(counts, nuclei, areas, dark, scale) | flags
    rows["kept"] = ~np.any([flags[name] for name in settings["exclude"]] or [labels < 0], axis=0)
    crops = cut(counts, at, side, dark)
    others = (owners[:, 1] > 0) & ~own[:, 1]
    return CellsOfField(rows, crops, own[:, 0], others, field_problem(nuclei, counts[0], blur))


def _places(at: np.ndarray, side: int, centroids: np.ndarray, scale: float) -> dict[str, np.ndarray]:
    """Columns of where each cell lies: the corners of its crop, px, and its centroid, px and µm."""
    names = ("top", "left"), ("bottom", "right"), ("y_px", "x_px"), ("y_um", "x_um")
    pairs = at, at + side, centroids, centroids * scale
    return {
        name: values
        for pair, both in zip(names, pairs, strict=True)
        for name, values in zip(pair, both.T, strict=True)
    }


def _of_field(field: Field, shape: tuple[int, int], dark: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Columns with the same value in all `count` cells of a field."""
    values = {
        "pixel_size_um": field.pixel_size_um,
        "field_height": shape[0],
        "field_width": shape[1],
        "background_nucleus": int(dark[0]),
        "background_protein": int(dark[1]),
    }
    return {name: np.full(count, value) for name, value in values.items()}


def centroids_of(nuclei: np.ndarray) -> np.ndarray:
    """The mean row and column of each label, px, float64 (labels, 2)."""
    rows, columns = np.nonzero(nuclei)
    owner = nuclei[rows, columns]
    sums = [np.bincount(owner, weights=places)[1:] for places in (rows, columns)]
    return np.stack(sums, axis=1) / np.bincount(owner)[1:, None] if len(owner) else np.empty((0, 2))


def measurements(
    counts: np.ndarray, nuclei: np.ndarray, areas: np.ndarray, dark: np.ndarray, pixel_size_um: float
) -> dict[str, np.ndarray]:
    """Areas in µm² and mean counts above background, an element per label."""
    pixels = {name: np.bincount(owner.ravel())[1:] for name, owner in (("nucleus", nuclei), ("cell", areas))}
    return {f"{name}_area_um2": count * pixel_size_um**2 for name, count in pixels.items()} | {
        "nucleus_counts": _sums(counts[0], nuclei) / pixels["nucleus"] - int(dark[0]),
        "protein_counts": _sums(counts[1], areas) / pixels["cell"] - int(dark[1]),
        "protein_counts_nucleus": _sums(counts[1], nuclei) / pixels["nucleus"] - int(dark[1]),
    }


def _sums(channel: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """The sum of the counts of each label, exact: integers below 2^53."""
    return np.bincount(owner.ravel(), weights=channel.ravel())[1:]
