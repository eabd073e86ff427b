"""How fast embeddings were made, as the records beside them say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from protloc.errors import InputError
from protloc.facts import HOW, record_path

MEASURED = ("images_per_second", "gflop_per_image", "peak_gflops", "share_of_peak")
COLUMNS = ("level", "backbone", "rule", "host", "device", "threads", *MEASURED)


def speeds(files: Sequence[tuple[str, str, Path]]) -> pd.DataFrame:
    """A row of COLUMNS for each step, from the records of `files`: level, backbone, an embedding file of it.

    Speeds in images (fields or cells) a second, all strategies of a step together; work and peak in GFLOP and
    GFLOP a second. What a step does not measure is empty: hand-made features are no products of matrices.
    Raises InputError for a file without a readable record.
    """
    rows = [{"level": level, "backbone": backbone} | _measured(path) for level, backbone, path in files]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(MEASURED, float))


def _measured(path: Path) -> dict[str, object]:
    """What the record of an embedding file says of the step that made it."""
    place = record_path(path)
    try:
        record = json.loads(place.read_text())
        run = record["run"]
        said = {"rule": record["facts"]["rule"], "host": run["host"], "threads": run[HOW]["threads"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{place}: not a readable record ({error!r}); make {path} again") from error
    return said | {name: run.get(name) for name in ("device", *MEASURED)}
