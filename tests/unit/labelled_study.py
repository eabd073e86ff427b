"""A study with simulated cells, as the folder results/{study} holds it, small enough to be made in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from protloc.crops import CropWriter
from protloc.flags import FLAGS
from protloc.simulate.field import render_field
from protloc.simulate.traits import draw_traits
from protloc.tables import write_table
from scipy import ndimage

SIDE, SCALE, SIZE = 116, 0.206349, 260
CLASSES = ("er", "golgi", "nucleolus_gc", "mitochondria", "chromatin")
PROTEINS = {f"SIM{n:04d}": [label] for n, label in enumerate(CLASSES * 2)} | {"SIM0099": ["er", "golgi"]}


def make_study(results: Path, classes: tuple[str, ...] = CLASSES) -> Path:
    """Two proteins of each class and one of two, a field of each; nuclei at the rim are not kept."""
    (results / "crops").mkdir(parents=True)
    tables = []
    with CropWriter(results / "crops/pixels.npy", results / "crops/masks.npy", SIDE) as store:
        for number, (gene, labels) in enumerate(PROTEINS.items()):
            tables.append(_field(number, gene, dict.fromkeys(labels, 3), store))
    cells = pd.concat(tables, ignore_index=True)
    write_table("cells", cells.assign(row=range(len(cells))), results / "cells.parquet")
    write_table("proteins", proteins_of(PROTEINS), results / "proteins.parquet")
    study = {"study": "trial", "classes": [*classes], "simulation": {}, "cells": {}}
    study["embedding"] = {"backbones": ["handmade"]}
    (results / "config.yaml").write_text(yaml.safe_dump(study))
    return results


def proteins_of(grade_3: dict[str, list[str]]) -> pd.DataFrame:
    """The table `proteins` of genes with localizations of grade 3."""
    table = pd.DataFrame({"gene": [*grade_3], "grade_3": [*grade_3.values()], "fovs": 1, "problem": None})
    empty: list[list[str]] = [[]] * len(table)
    return table.assign(ensg_id="ENSG99900000000", grade_2=empty, grade_1=empty)


def cell_rows(count: int, fov_id: str, gene: str, **columns: Any) -> pd.DataFrame:
    """Rows of the table `cells` of one field; what is not given is 0."""
    rows = pd.DataFrame({"label": range(1, count + 1), "fov_id": fov_id, "gene": gene, "row": range(count)})
    rows["cell_id"] = [f"{fov_id}-{label:04d}" for label in rows["label"]]
    for name in ("top", "left", "bottom", "right", "field_height", "field_width"):
        rows[name] = 0
    for name in ("background_nucleus", "background_protein"):
        rows[name] = 0
    for name in ("padded_fraction", "y_px", "x_px", "y_um", "x_um", "nucleus_area_um2", "cell_area_um2"):
        rows[name] = 0.0
    for name in ("nucleus_counts", "protein_counts", "protein_counts_nucleus"):
        rows[name] = 0.0
    return rows.assign(pixel_size_um=SCALE, kept=True, **dict.fromkeys(FLAGS, False)).assign(**columns)


def _field(number: int, gene: str, grades: dict[str, int], store: CropWriter) -> pd.DataFrame:
    """A field's cells: their crops go to the store, their rows come out."""
    rng = np.random.default_rng(number)
    field = render_field(grades, draw_traits(rng), SIZE, rng)
    labels = np.unique(field.nuclei)[1:]
    centres = np.array(ndimage.center_of_mass(field.nuclei > 0, field.nuclei, labels))
    half = SIDE // 2
    image = np.pad(field.image, ((0, 0), (half, half), (half, half)), constant_values=field.image.min())
    nuclei = np.pad(field.nuclei, half)
    places = [(..., slice(y, y + SIDE), slice(x, x + SIDE)) for y, x in np.rint(centres).astype(int)]
    own = np.stack([nuclei[at] == label for at, label in zip(places, labels, strict=True)])
    store.add(np.stack([image[at] for at in places]), own, np.zeros_like(own))
    kept = ((centres > 20) & (centres < SIZE - 20)).all(axis=1)
    at = {"y_px": centres[:, 0], "x_px": centres[:, 1]}
    um = {"y_um": centres[:, 0] * SCALE, "x_um": centres[:, 1] * SCALE}
    return cell_rows(len(labels), f"FID{number:08d}", gene, kept=kept, touches_border=~kept, **at, **um)
