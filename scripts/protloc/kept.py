"""Finished runs of a step, kept in one file beside its result, so that a rerun does only what is new.

Snakemake deletes a result before it makes it again; what is kept here it does not know. A run is used
again only if its key, a digest of all that determines it, is the same, and its rows are as they were.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from protloc.atomic import atomic
from protloc.hashing import sha256_bytes, sha256_value
from protloc.tables import TABLES

FOOTER = b"runs"


class KeptRuns(Mapping[str, pd.DataFrame]):
    """Rows of the table `name` by the key of their run; each addition rewrites the file whole.

    `identity` is what all runs depend on, such as settings, code and digests of inputs: of a file with
    another one nothing is used.
    """

    def __init__(self, name: str, path: Path, identity: Any) -> None:
        self._schema, self._path = TABLES[name].schema, path
        self.identity = sha256_value(identity)
        self._tables: dict[str, pa.Table] = {}
        if path.exists():
            self._read()

    def __getitem__(self, key: str) -> pd.DataFrame:
        return self._tables[key].to_pandas()

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def add(self, runs: Mapping[str, pd.DataFrame]) -> None:
        """Keep finished runs by key; on disk when this returns."""
        for key, rows in runs.items():
            self._tables[key] = pa.Table.from_pandas(
                rows[self._schema.names], self._schema, preserve_index=False
            )
        digests = {key: _digest(table) for key, table in self._tables.items()}
        footer = {FOOTER: json.dumps({"identity": self.identity, "sha256": digests})}
        with atomic(self._path) as temporary:
            schema = self._schema.with_metadata(footer)
            with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
                for table in self._tables.values():
                    writer.write_table(table.replace_schema_metadata(footer))

    def _read(self) -> None:
        """Take over what is whole: a row group per run, in the order of the footer."""
        try:
            file = pq.ParquetFile(self._path)
            footer = json.loads(file.schema_arrow.metadata[FOOTER])
            if footer["identity"] != self.identity:
                return
            groups = [file.read_row_group(group) for group in range(file.num_row_groups)]
            tables = {
                key: table.replace_schema_metadata(None).cast(self._schema)
                for key, table in zip(footer["sha256"], groups, strict=True)
            }
        except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
            logging.warning("%s: kept runs cannot be read (%s); all are done again", self._path, error)
            return
        for key, table in tables.items():
            if _digest(table) == footer["sha256"][key]:
                self._tables[key] = table
            else:
                logging.warning("%s: a kept run was changed; it is done again", self._path)


def _digest(table: pa.Table) -> str:
    """The digest of the values, whatever the buffers and chunks they lie in."""
    return sha256_value([sha256_bytes(_content(column.combine_chunks())) for column in table.columns])


def _content(array: pa.Array) -> bytes:
    """The values of a column as bytes, lengths first where they have any."""
    if pa.types.is_list(array.type):
        return array.value_lengths().to_numpy(zero_copy_only=False).tobytes() + _content(array.flatten())
    if pa.types.is_string(array.type):
        return json.dumps(array.to_pylist()).encode()
    return array.to_numpy(zero_copy_only=False).tobytes()
