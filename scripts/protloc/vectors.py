"""Embedding files: an id and a vector of float32 per row, written as they come and read as one matrix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from protloc.errors import InputError
from protloc.tables import ROW_GROUP, TABLES


class VectorWriter:
    """An embedding file in the making: rows in the order they are added, a row group at a time.

    `table` is its kind. Vectors are float32 of one length, stored as fixed-size lists without dictionary or
    compression, which buy nothing on embeddings. A context manager: the file is whole when the block ends
    well.
    """

    def __init__(self, path: Path, table: str, metadata: Mapping[str, str]) -> None:
        self._path, self._table, self._metadata = path, TABLES[table], dict(metadata)
        self._ids: list[str] = []
        self._vectors: list[np.ndarray] = []
        self._file: pq.ParquetWriter | None = None
        self._dimension = 0

    def add(self, name: str, vector: np.ndarray) -> None:
        """Append a row; raises InputError for a value that is not finite or another length than the first."""
        if self._file is None:
            self._open(len(vector))
        if vector.shape != (self._dimension,) or not np.isfinite(vector).all():
            raise InputError(f"{self._path}: the vector of {name} has shape {vector.shape} or is not finite")
        self._ids.append(name)
        self._vectors.append(vector.astype(np.float32, copy=False))
        if len(self._ids) == ROW_GROUP:
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        """Write what is left and close; raises InputError if nothing was added."""
        if self._file is None:
            if kind is None:
                raise InputError(
                    f"{self._path}: no image to embed; see `status` in fovs.parquet, `kept` in cells.parquet"
                )
            return
        if kind is None and self._ids:
            self._flush()
        self._file.close()

    def _open(self, dimension: int) -> None:
        name, vector = self._table.columns
        fields = [
            pa.field(name.name, name.type, nullable=False),
            pa.field(vector.name, pa.list_(pa.float32(), dimension), nullable=False),
        ]
        schema = pa.schema(fields, metadata=self._metadata)
        self._file = pq.ParquetWriter(self._path, schema, use_dictionary=False, compression="none")
        self._dimension = dimension

    def _flush(self) -> None:
        flat = pa.array(np.concatenate(self._vectors))
        columns = [pa.array(self._ids), pa.FixedSizeListArray.from_arrays(flat, self._dimension)]
        self._file.write_table(pa.table(columns, schema=self._file.schema))
        self._ids, self._vectors = [], []


def read_vectors(path: Path | str) -> tuple[list[str], np.ndarray]:
    """The ids and the float32 matrix (images, dimension) of an embedding file, in its order."""
    try:
        table = pq.read_table(path)
        vectors = table["vector"].combine_chunks()
        matrix = vectors.flatten().to_numpy().reshape(len(table), vectors.type.list_size)
    except (pa.ArrowInvalid, OSError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path}: not a readable embedding file ({error}); delete it and run again"
        ) from error
    return table.column(0).to_pylist(), matrix
