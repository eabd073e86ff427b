"""Embedding files: an id and a vector of float32 per row, written as they come and read as one matrix."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from protloc.errors import InputError
from protloc.tables import ROW_GROUP, TABLES


def write_vectors(rows: Iterable[tuple[str, np.ndarray]], path: Path, metadata: dict[str, str]) -> int:
    """Write (id, vector) rows in the order given, a row group at a time; returns how many there were.

    Vectors are float32 of one length, stored as fixed-size lists without dictionary or compression, which
    buy nothing on embeddings. Raises InputError for no rows, a value that is not finite, or another length.
    """
    id_column, vector_column = TABLES["embeddings"].columns
    writer, count, ids, vectors = None, 0, [], []

    def flush() -> None:
        flat = pa.array(np.concatenate(vectors))
        writer.write_table(
            pa.table([pa.array(ids), pa.FixedSizeListArray.from_arrays(flat, dimension)], schema=schema)
        )
        ids.clear(), vectors.clear()

    try:
        for count, (name, vector) in enumerate(rows, start=1):
            if writer is None:
                dimension = len(vector)
                schema = pa.schema(
                    [
                        pa.field(id_column.name, id_column.type, nullable=False),
                        pa.field(vector_column.name, pa.list_(pa.float32(), dimension), nullable=False),
                    ],
                    metadata=metadata,
                )
                writer = pq.ParquetWriter(path, schema, use_dictionary=False, compression="none")
            if vector.shape != (dimension,) or not np.isfinite(vector).all():
                raise InputError(f"{path}: the vector of {name} has shape {vector.shape} or is not finite")
            ids.append(name)
            vectors.append(vector.astype(np.float32, copy=False))
            if len(ids) == ROW_GROUP:
                flush()
        if writer is None:
            raise InputError(f"{path}: there are no images to embed; see the status column of fovs.parquet")
        if ids:
            flush()
    finally:
        if writer is not None:
            writer.close()
    return count


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
    return table["fov_id"].to_pylist(), matrix
