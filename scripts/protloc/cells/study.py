"""All cells of a study: two tables and a crop store, from one pass over the fields."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from protloc.cells.field import CellsOfField, cells_of
from protloc.crops import CropWriter
from protloc.cut import side_px
from protloc.errors import InputError
from protloc.fields import Field, good_fields
from protloc.parallel import in_order
from protloc.progress import progress

TOGETHER = 200  # fields whose rows become one frame


def find_cells(
    fovs: pd.DataFrame,
    root: Path,
    settings: Mapping[str, Any],
    pixels: Path,
    masks: Path,
    *,
    store_um: float,
    workers: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `cells` and of `segmented`; the crops go to the store in the files `pixels` and `masks`.

    `fovs` is the table of that name, its keys lie below `root`; `settings` are those of the group `cells`.
    `store_um` is the side of a stored crop, µm: the widest that the study or a backbone shows.
    Memory holds the rows and a few fields, whatever their number. Raises InputError for fields of several
    scales, whose crops would differ in size, and for a field that cannot be read.
    """
    fields = good_fields(fovs)
    side, genes = _common_side(fields, store_um), dict(zip(fovs["fov_id"], fovs["gene"], strict=True))
    find = partial(_find, root=root, settings=settings, store_um=store_um)
    cells, segmented, row = _Rows(), [], 0
    found = in_order(find, fields, workers=workers, ahead=2 * workers, pool=ProcessPoolExecutor)
    with CropWriter(pixels, masks, side) as store:
        for field, of_field in progress(found, total=len(fields), unit="fields"):
            cells.add(of_field.rows | _names(field.fov_id, genes[field.fov_id], of_field.rows["label"], row))
            row += len(of_field.crops)
            segmented.append(_summary(field, of_field))
            store.add(of_field.crops, of_field.nuclei, of_field.others)
    tables = cells.table(), pd.DataFrame(segmented)
    _report(*tables)
    return tables


class _Rows:
    """Rows that are added a few at a time: a frame for each field would take 40 KB besides them."""

    def __init__(self) -> None:
        self._blocks: list[pd.DataFrame] = []
        self._latest: list[dict[str, np.ndarray]] = []

    def add(self, rows: dict[str, np.ndarray]) -> None:
        self._latest.append(rows)
        if len(self._latest) == TOGETHER:
            self._join()

    def table(self) -> pd.DataFrame:
        """All rows in the order in which they were added."""
        self._join()
        return pd.concat(self._blocks, ignore_index=True)

    def _join(self) -> None:
        if self._latest:
            columns = {name: [rows[name] for rows in self._latest] for name in self._latest[0]}
            self._blocks.append(pd.DataFrame({name: np.concatenate(of) for name, of in columns.items()}))
            self._latest = []


def _common_side(fields: list[Field], store_um: float) -> int:
    sides = {side_px(store_um, field.pixel_size_um) for field in fields}
    if not sides:
        raise InputError("fovs.parquet: status: no field is good; see its column problem")
    if len(sides) > 1:
        raise InputError(
            f"fovs.parquet: pixel_size_um: crops of {store_um:g} µm would be {sorted(sides)} px wide, one "
            f"size is needed; study images of one scale at a time"
        )
    return sides.pop()


def _find(field: Field, *, root: Path, settings: Mapping[str, Any], store_um: float) -> CellsOfField:
    return cells_of(field, field.read(root), settings, store_um)


def _names(fov_id: str, gene: str, labels: np.ndarray, row: int) -> dict[str, np.ndarray]:
    """Columns of the ids of a field's cells, its gene, and their rows in the store, the first being `row`."""
    return {
        "fov_id": np.full(len(labels), fov_id),
        "gene": np.full(len(labels), gene),
        "cell_id": np.array([f"{fov_id}-{label:04d}" for label in labels], dtype=str),
        "row": row + np.arange(len(labels)),
    }


def _summary(field: Field, found: CellsOfField) -> dict[str, Any]:
    """A row of `segmented`."""
    kept = int(found.rows["kept"].sum())
    return {"fov_id": field.fov_id, "nuclei": len(found.crops), "kept": kept, "problem": found.problem}


def _report(cells: pd.DataFrame, segmented: pd.DataFrame) -> None:
    """Log what was found, what is left out of the embeddings, and the fields with a problem."""
    logging.info("%d nuclei in %d fields, %d are kept", len(cells), len(segmented), cells["kept"].sum())
    problems = segmented["problem"].value_counts()
    for problem, count in sorted(problems.items()):
        logging.warning("%d of %d fields: %s", count, len(segmented), problem)
