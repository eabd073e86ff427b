"""The cells of one field: nuclei, areas, measurements, flags, crops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from skimage.segmentation import expand_labels

from protloc.cells.flags import field_problem, flag_nuclei
from protloc.cells.nuclei.methods import SEGMENTERS
from protloc.cut import background, corners, cut, padded_fraction, side_px
from protloc.fields import Field


@dataclass(frozen=True)
class CellsOfField:
    """Rows of `cells` but for ids, gene and row; crops, uint16 (cells, 2, side, side); masks; the problem.

    nuclei, others: bool (cells, side, side), a cell's own nucleus, and what belongs to other cells.
    """

    rows: pd.DataFrame
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
    rows = pd.DataFrame({"label": labels, "pixel_size_um": scale})
    rows[["field_height", "field_width"]] = np.tile(nuclei.shape, (len(at), 1))
    rows[["top", "left"]], rows[["bottom", "right"]] = at, at + side
    rows["background_nucleus"], rows["background_protein"] = dark.astype(np.int64)
    rows[["y_px", "x_px"]], rows[["y_um", "x_um"]] = centroids, centroids * scale
    rows["padded_fraction"] = padded_fraction(rows, side_px(settings["crop_um"], scale))
    flags = flag_nuclei(nuclei, counts[0], scale)
    flags["saturated"] |= np.isin(labels, areas[counts[1] == np.iinfo(counts.dtype).max])
    flags["beyond_field"] = rows["padded_fraction"] > settings["max_padding"]
    rows = pd.concat([rows, measurements(counts, nuclei, areas, dark, scale), flags], axis=1)
    rows["kept"] = ~flags[list(settings["exclude"])].any(axis=1)
    crops = cut(counts, at, side, dark)
    others = (owners[:, 1] > 0) & ~own[:, 1]
    return CellsOfField(rows, crops, own[:, 0], others, field_problem(nuclei, counts[0]))


def centroids_of(nuclei: np.ndarray) -> np.ndarray:
    """The mean row and column of each label, px, float64 (labels, 2)."""
    rows, columns = np.nonzero(nuclei)
    owner = nuclei[rows, columns]
    sums = [np.bincount(owner, weights=places)[1:] for places in (rows, columns)]
    return np.stack(sums, axis=1) / np.bincount(owner)[1:, None] if len(owner) else np.empty((0, 2))


def measurements(
    counts: np.ndarray, nuclei: np.ndarray, areas: np.ndarray, dark: np.ndarray, pixel_size_um: float
) -> pd.DataFrame:
    """Areas in µm² and mean counts above background of each cell, a row per label."""
    pixels = {name: np.bincount(owner.ravel())[1:] for name, owner in (("nucleus", nuclei), ("cell", areas))}
    return pd.DataFrame(
        {f"{name}_area_um2": count * pixel_size_um**2 for name, count in pixels.items()}
        | {
            "nucleus_counts": _sums(counts[0], nuclei) / pixels["nucleus"] - int(dark[0]),
            "protein_counts": _sums(counts[1], areas) / pixels["cell"] - int(dark[1]),
            "protein_counts_nucleus": _sums(counts[1], nuclei) / pixels["nucleus"] - int(dark[1]),
        }
    )


def _sums(channel: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """The sum of the counts of each label, exact: integers below 2^53."""
    return np.bincount(owner.ravel(), weights=channel.ravel())[1:]
