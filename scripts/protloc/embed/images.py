"""What is embedded: the good fields of view of a study, or its cells, in the order of their ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from protloc.cell_view import Padding, read_cell, stored_cells
from protloc.crops import Crops, open_crops
from protloc.cut import side_px
from protloc.fields import good_fields
from protloc.tables import read_table


@dataclass(frozen=True)
class Image:
    """An image, not yet read: height and width in px; `read` gives uint16 counts (2, height, width)."""

    name: str
    height: int
    width: int
    pixel_size_um: float
    read: Callable[[], np.ndarray]


@dataclass(frozen=True)
class CellCut:
    """How a cell is cut out: side in µm, whether other cells are hidden, what lies beyond the field."""

    crop_um: float
    mask_neighbours: bool
    padding: Padding


@dataclass(frozen=True)
class Images:
    """The images of a level, `fov` or `cell`, and what the embedding file says of how they were cut."""

    level: str
    images: list[Image]
    footer: dict[str, str]

    @property
    def table(self) -> str:
        """The name of the table of their vectors."""
        return {"fov": "embeddings", "cell": "cell_embeddings"}[self.level]


def open_images(inputs: Mapping[str, str], raw: str, cut: CellCut) -> Images:
    """The images of a step: cells where its `inputs` name them, else the fields below the folder `raw`."""
    if "cells" in inputs.keys():  # noqa: SIM118 (a list of Snakemake's has names as keys alone)
        crops = open_crops(inputs["pixels"], inputs["masks"])
        return cell_images(read_table("cells", inputs["cells"]), crops, cut)
    return field_images(read_table("fovs", inputs["fovs"]), Path(raw))


def field_images(fovs: pd.DataFrame, root: Path) -> Images:
    """The good fields of the table `fovs`, whose keys lie below `root`."""
    images = [
        Image(field.fov_id, field.height, field.width, field.pixel_size_um, partial(field.read, root))
        for field in good_fields(fovs)
    ]
    return Images("fov", images, {"level": "fov"})


def cell_images(cells: pd.DataFrame, crops: Crops, cut: CellCut) -> Images:
    """The kept cells of the table `cells`, cut from the stored crops as `cut` says.

    Raises InputError if the store holds smaller crops.
    """
    kept = cells[cells["kept"]].sort_values("cell_id")
    how = {"mask_others": cut.mask_neighbours, "padding": cut.padding}
    images = []
    for name, scale, cell in zip(kept["cell_id"], kept["pixel_size_um"], stored_cells(kept), strict=True):
        side = side_px(cut.crop_um, scale)
        images.append(Image(name, side, side, scale, partial(read_cell, crops, cell, side, **how)))
    footer = {
        "level": "cell",
        "crop_um": f"{cut.crop_um:g}",
        "other_cells": "masked" if cut.mask_neighbours else "shown",
        "padding": cut.padding,
    }
    return Images("cell", images, footer)
