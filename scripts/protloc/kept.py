"""Finished runs of a step, each a table with a record beside the result: a rerun does only what is new.

Snakemake deletes a result before it makes it again; what is kept here it does not know. A run is used again
only if its key, a digest of all that determines it, is the same, and its table is what its record says.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from protloc.atomic import atomic, sweep, write_text
from protloc.hashing import sha256_path, sha256_value
from protloc.tables import write_table


class KeptRuns:
    """Rows of the table `name` by the key of their run, read from `folder` as they are asked for.

    `identity` is what all runs depend on, such as settings, code and digests of inputs: runs of another one
    are not used, and go when the first of this one is added.
    """

    def __init__(self, name: str, folder: Path, identity: Any) -> None:
        self._name, self._folder = name, folder
        self.identity = sha256_value(identity)
        self._keys, self._others = set[str](), list[Path]()
        sweep(folder / "*")
        for record in sorted(folder.glob("*.json")):
            self._look(record)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __getitem__(self, key: str) -> pa.Table:
        return pq.read_table(self._table(key))

    def add(self, key: str, rows: pd.DataFrame) -> None:
        """Keep a finished run; on disk when this returns."""
        while self._others:
            record = self._others.pop()
            record.unlink(missing_ok=True)
            self._table(record.stem).unlink(missing_ok=True)
        table = self._table(key)
        with atomic(table) as temporary:
            write_table(self._name, rows, temporary)
            record = {"key": key, "identity": self.identity, "sha256": sha256_path(temporary)}
        write_text(table.with_suffix(".json"), json.dumps(record, indent=1) + "\n")
        self._keys.add(key)

    def _table(self, key: str) -> Path:
        return self._folder / f"{key}.parquet"

    def _look(self, path: Path) -> None:
        """Take up the run of a record, if it is of this identity and whole."""
        try:
            record = json.loads(path.read_text())
            key, identity, digest = (record[name] for name in ("key", "identity", "sha256"))
            if identity != self.identity:
                self._others.append(path)
            elif sha256_path(self._table(key)) == digest:
                self._keys.add(key)
            else:
                logging.warning("%s: a kept run was changed; it is done again", self._table(key))
        except (OSError, KeyError, TypeError, ValueError) as error:
            logging.warning("%s: a kept run cannot be read (%s); it is done again", path, error)
