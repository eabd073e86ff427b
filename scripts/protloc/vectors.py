"""Embedding files: a row per image and variant, written as they come and read as one matrix per variant."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from protloc.errors import InputError
from protloc.hashing import sha256_bytes, sha256_value
from protloc.tables import ROW_GROUP, TABLES
from protloc.variants import Variant


class VectorWriter:
    """An embedding file in the making: the rows of each variant in the order they are added.

    `table` is its kind. The vectors of a variant are float32 of one length, stored without dictionary or
    compression, which buy nothing on embeddings. A context manager: the file is whole when the block ends
    well.
    """

    def __init__(self, path: Path, table: str, metadata: Mapping[str, str]) -> None:
        self._path = path
        self._schema = TABLES[table].schema.with_metadata(dict(metadata))
        self._waiting: dict[Variant, tuple[list[str], list[np.ndarray]]] = {}
        self._lengths: dict[Variant, int] = {}
        self._file: pq.ParquetWriter | None = None

    def add(self, name: str, variant: Variant, vector: np.ndarray) -> None:
        """Append a row; raises InputError for a value that is not finite or another length than the first."""
        length = self._lengths.setdefault(variant, len(vector))
        if vector.shape != (length,) or not np.isfinite(vector).all():
            raise InputError(
                f"{self._path}: the vector of {name}, {variant}, has shape {vector.shape} or is not finite"
            )
        names, vectors = self._waiting.setdefault(variant, ([], []))
        names.append(name)
        vectors.append(vector.astype(np.float32, copy=False))
        if len(names) == ROW_GROUP:
            self._flush(variant)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        """Write what is left and close; raises InputError if nothing was added."""
        if kind is None:
            if not self._lengths:
                raise InputError(
                    f"{self._path}: no image to embed; see `status` in fovs.parquet, `kept` in cells.parquet"
                )
            for variant in list(self._waiting):
                self._flush(variant)
        if self._file is not None:
            self._file.close()

    def _flush(self, variant: Variant) -> None:
        names, vectors = self._waiting.pop(variant)
        if self._file is None:
            texts = [name for name in self._schema.names if name != "vector"]
            how = {"use_dictionary": texts, "compression": "none"}
            self._file = pq.ParquetWriter(self._path, self._schema, **how)
        count, length = len(names), self._lengths[variant]
        offsets = pa.array(np.arange(0, (count + 1) * length, length, dtype=np.int32))
        matrix = pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(vectors)))
        columns = [[variant.strategy] * count, [variant.scale] * count, names, matrix]
        arrays = [pa.array(of, field.type) for of, field in zip(columns, self._schema, strict=True)]
        self._file.write_table(pa.table(arrays, schema=self._schema))


def read_vectors(path: Path | str, variant: Variant) -> tuple[list[str], np.ndarray]:
    """The ids and the float32 matrix (images, dimension) of a variant in an embedding file, in its order."""
    try:
        name = pq.read_schema(path).names[2]
        only = [(column, "==", value) for column, value in variant.columns.items()]
        table = pq.read_table(path, columns=[name, "vector"], filters=only)
        vectors = table["vector"].combine_chunks()
        matrix = vectors.flatten().to_numpy().reshape(len(table), -1) if len(table) else np.empty((0, 0))
    except (pa.ArrowInvalid, OSError, IndexError, KeyError, ValueError) as error:
        raise InputError(
            f"{path}: not a readable embedding file ({error}); delete it and run again"
        ) from error
    if not len(table):
        raise InputError(f"{path}: has no vectors of {variant}; run again with --forcerun embed_network")
    return table.column(0).to_pylist(), matrix


def variants_in(path: Path | str) -> list[Variant]:
    """The variants of an embedding file, sorted."""
    table = pq.read_table(path, columns=["strategy", "scale"]).group_by(["strategy", "scale"]).aggregate([])
    return sorted(Variant(*row.values()) for row in table.to_pylist())


def sha256_vectors(names: list[str], vectors: np.ndarray) -> str:
    """The digest of ids and vectors: another for another variant, whatever else lies in their file."""
    return sha256_value([names, sha256_bytes(np.ascontiguousarray(vectors).tobytes())])
