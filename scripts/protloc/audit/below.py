"""What lies below a row of each table: the rows, vectors, crops and fields that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from protloc.audit.again import KNN, score_of_neighbours, score_of_predictions
from protloc.audit.study import Study
from protloc.audit.text import printable
from protloc.choices import validation_proteins
from protloc.crops import open_crops
from protloc.cut import cut
from protloc.errors import InputError
from protloc.images import read_field
from protloc.tables import TABLES, read_table
from protloc.variants import Variant

SHOWN = 3  # fields or cells behind a number that are shown one by one
TUNED = "finetune"  # has a file for each variant
RUN = ("strategy", "scale", "split_unit", "label_policy", "fraction", "shots", "seed", "subset")


class Tables:
    """The tables of a study, read when they are asked for."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._read: dict[tuple[str, str], pd.DataFrame] = {}

    def __call__(self, kind: str, path: str) -> pd.DataFrame:
        """A table by its kind and its path below the study. Raises InputError if it is not here."""
        if (kind, path) not in self._read:
            if not (self.study.root / path).is_file():
                raise InputError(f"{self.study.root / path}: is missing, so the number cannot be followed")
            self._read[kind, path] = read_table(kind, self.study.root / path)
        return self._read[kind, path]

    def ids(self, path: str, variant: Variant) -> list[str]:
        """The ids of a variant's vectors in an embedding file, in their order."""
        column = pq.read_schema(self.study.root / path).names[2]
        only = [(name, "==", value) for name, value in variant.columns.items()]
        return pq.read_table(self.study.root / path, columns=[column], filters=only).column(0).to_pylist()


def _of_summary(tables: Tables, row: pd.Series) -> Iterator[str]:
    metrics = tables("metrics", "metrics.parquet")
    keys = [column.name for column in TABLES["summary"].columns if column.name in metrics]
    seeds = metrics[_equal(metrics, row, keys)]
    mean = seeds["value"].mean()
    yield f"mean of {len(seeds)} runs in metrics.parquet: {mean:.6f} counted again, {row['mean']:.6f} here"
    for _, of_seed in seeds.iterrows():
        yield f"seed {of_seed['seed']}: {of_seed['value']:.6f}"
        yield from indented(_of_metric(tables, of_seed))


def _of_metric(tables: Tables, row: pd.Series) -> Iterator[str]:
    route, variant = row["backbone"], Variant(row["strategy"], row["scale"])
    if row["task"] in KNN:
        path = f"runs/cell/knn/{route}/neighbours.parquet"
        found = tables("neighbours", path)
        wanted = {"apart": row["split_unit"], "label_policy": row["label_policy"], "seed": row["seed"]}
        wanted |= variant.columns
        rows = found[_equal(found, wanted, list(wanted))]
        rows = rows[rows["gene"].isin(_chosen_on(tables)) == (row["subset"] == "validation")]
        yield f"{len(rows)} cells of {path}{score_of_neighbours(rows, row)}"
        below = (_of_neighbour(tables, cell, route) for _, cell in rows.head(SHOWN).iterrows())
    else:
        below = f"{route}/{variant}" if row["task"] == TUNED else route
        path = f"runs/{row['level']}/{row['task']}/{below}/predictions.parquet"
        found = tables("predictions", path)
        rows = found[_equal(found, row, list(RUN))]
        yield f"{len(rows)} images of {path}{score_of_predictions(rows, row)}"
        vectors = f"embeddings/{row['level']}/{route}.parquet"
        below = (_of_prediction(tables, image, vectors) for _, image in rows.head(SHOWN).iterrows())
    for lines in below:
        yield from indented(lines)
    if len(rows) > SHOWN:
        yield f"  and {len(rows) - SHOWN} more"


def _chosen_on(tables: Tables) -> set[str]:
    """The proteins that nearest neighbours were chosen on: the subset `validation` of their cells."""
    paths = sorted((tables.study.root / "splits").glob("*.parquet"))
    named = {tuple(path.stem.split("-")): f"splits/{path.name}" for path in paths}
    return validation_proteins({setting: tables("splits", path) for setting, path in named.items()})


def _of_prediction(tables: Tables, row: pd.Series, vectors: str | None = None) -> Iterator[str]:
    yield f"{row['image_id']} of {row['gene']}: is {_list(row['truth'])}, predicted {_list(row['predicted'])}"
    if vectors:
        yield f"  {_vector(tables, row, row['image_id'], vectors)}"
    if row["image_id"] == row["fov_id"]:
        yield from indented(_of_field(tables, row))
    else:
        yield from indented(_of_cell_id(tables, row.rename({"image_id": "cell_id"})))


def _of_neighbour(tables: Tables, row: pd.Series, route: str | None = None) -> Iterator[str]:
    votes = ", ".join(f"k={k}: {vote}" for k, vote in zip(row["k"], row["plain"], strict=True))
    yield f"{row['cell_id']} of {row['gene']}: is {row['truth']}, {votes}"
    nearest = zip(row["nearest"], row["similarity"], strict=True)
    yield "  nearest: " + ", ".join(
        f"{cell} ({similarity:.3f})" for cell, similarity in list(nearest)[:SHOWN]
    )
    if route:
        yield f"  {_vector(tables, row, row['cell_id'], f'embeddings/cell/{route}.parquet')}"
    yield from indented(_of_cell_id(tables, row))


def _vector(tables: Tables, row: pd.Series, name: str, path: str) -> str:
    variant = Variant(row["strategy"], row["scale"])
    ids = tables.ids(path, variant)
    there = f"row {ids.index(name)} of those" if name in ids else "none of those"
    return f"vector: {there} of {variant} in {path}"


def _of_cell_id(tables: Tables, row: pd.Series) -> Iterator[str]:
    cells = tables("cells", "cells.parquet")
    cell = cells[cells["cell_id"] == row["cell_id"]]
    if len(cell) != 1:
        raise InputError(f"cells.parquet: {row['cell_id']} is there {len(cell)} times")
    yield from _of_cell(tables, cell.iloc[0])


def _of_cell(tables: Tables, cell: pd.Series) -> Iterator[str]:
    box = ", ".join(f"{side} {cell[side]}" for side in ("top", "left", "bottom", "right"))
    yield f"crop: row {cell['row']} of crops/pixels.npy; box in the field, px: {box}"
    yield from _of_field(tables, cell, cell)


def _of_field(tables: Tables, row: pd.Series, cell: pd.Series | None = None) -> Iterator[str]:
    fovs = tables("fovs", "fovs.parquet")
    found = fovs[fovs["fov_id"] == row["fov_id"]]
    if len(found) != 1:
        raise InputError(f"fovs.parquet: {row['fov_id']} is there {len(found)} times")
    field = found.iloc[0]
    acquired = tables.study.records[f"{tables.study.name}/fovs.parquet"].facts["params"]
    yield f"field: {address(acquired['acquisition'], field['key'])}, sha256 {field['sha256']}"
    raw = tables.study.located(acquired["files"]["below"])
    if raw is None:
        yield "pixels: not on this machine"
        return
    pixels = read_field(raw, field["key"], field["sha256"])
    if cell is None:
        yield f"pixels: {printable(str(raw / field['key']))}, as listed"
        return
    crops = open_crops(tables.study.root / "crops/pixels.npy", tables.study.root / "crops/masks.npy")
    fill = cell["background_nucleus"], cell["background_protein"]
    again = cut(pixels, np.array([[cell["top"], cell["left"]]]), crops.side, fill)[0]
    same = np.array_equal(again, crops.read([cell["row"]])[0])
    yield f"pixels: cut again there, they are {'the stored crop' if same else 'NOT THE STORED CROP'}"


def address(acquisition: Mapping[str, Any], key: str) -> str:
    """Where a field's file can be had: a URL, or a path below the mirror folder."""
    mirror = acquisition["mirror"]
    if not mirror.startswith("s3://"):
        return printable(f"{mirror.rstrip('/')}/{key}")
    bucket = mirror.removeprefix("s3://").strip("/")
    if acquisition.get("endpoint"):
        return f"{acquisition['endpoint'].rstrip('/')}/{bucket}/{quote(key)}"
    return f"https://{bucket}.s3.{acquisition['region']}.amazonaws.com/{quote(key)}"


def _equal(rows: pd.DataFrame, wanted: Mapping[str, Any], columns: Sequence[str]) -> pd.Series:
    same = pd.Series(True, index=rows.index)
    for column in columns:
        value = wanted[column]
        same &= rows[column].isna() if pd.isna(value) else (rows[column] == value).fillna(False)
    return same


def indented(lines: Iterator[str]) -> Iterator[str]:
    """The lines, moved to the right."""
    return (f"  {line}" for line in lines)


def _list(labels: Sequence[str]) -> str:
    return " and ".join(labels) or "nothing"


BELOW = {
    "summary": _of_summary,
    "metrics": _of_metric,
    "predictions": _of_prediction,
    "neighbours": _of_neighbour,
    "cells": _of_cell,
    "cell_labels": _of_cell_id,
    "cell_embeddings": _of_cell_id,
    "embeddings": _of_field,
    "splits": _of_field,
    "segmented": _of_field,
    "fovs": _of_field,
}
