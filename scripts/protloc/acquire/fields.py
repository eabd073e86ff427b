"""`fovs.parquet`: every field of view in the store, fetched, looked into, and good or bad with a reason."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from obstore.store import ObjectStore

from protloc.acquire.fetch import fetch
from protloc.errors import InputError
from protloc.hashing import sha256_bytes
from protloc.images import decode_field
from protloc.listing import Listed
from protloc.opencell import FieldName, parse_key
from protloc.progress import progress

WORKERS = 8  # waits for the network; each holds one file at a time


def acquire_fields(
    store: ObjectStore, entries: Sequence[Listed], root: Path, pixel_size_um: float
) -> pd.DataFrame:
    """Rows of the `fovs` table, one per projection listed, in the order given; the files go below `root`.

    z-stacks are passed over. A file that is wrongly named or does not hold two channels of uint16 is `bad`
    and says why. Memory holds a few files at a time, whatever their number.
    """
    names = [parse_key(entry.key) for entry in entries]
    wanted = [(e, n) for e, n in zip(entries, names, strict=True) if n is None or n.kind == "proj"]
    if len(wanted) < len(entries):
        logging.info("%d z-stacks were passed over: projections are used", len(entries) - len(wanted))
    row = partial(_row, store=store, root=root, pixel_size_um=pixel_size_um)
    with ThreadPoolExecutor(WORKERS) as pool:
        rows = list(progress(pool.map(row, wanted), total=len(wanted), unit="fields"))
    return _mark_repeated(pd.DataFrame(rows))


def _row(
    found: tuple[Listed, FieldName | None],
    *,
    store: ObjectStore,
    root: Path,
    pixel_size_um: float,
) -> dict[str, Any]:
    entry, name = found
    row = dict.fromkeys(("gene", "ensg_id", "line_id", "sha256", "height", "width", "problem"))
    row |= {"fov_id": entry.key, "key": entry.key, "size_bytes": entry.size}
    row |= {"pixel_size_um": pixel_size_um, "status": "bad"}
    if name is None:
        return row | {"problem": "the name does not follow the bucket's grammar; rename the file"}
    row |= {column: getattr(name, column) for column in ("gene", "ensg_id", "line_id", "fov_id")}
    content = fetch(store, entry, root)
    row["sha256"] = sha256_bytes(content)
    try:
        _, height, width = decode_field(content, "it").shape
    except InputError as error:
        return row | {"problem": str(error).removeprefix("it: ")}
    return row | {"height": height, "width": width, "status": "ok"}


def _mark_repeated(fovs: pd.DataFrame) -> pd.DataFrame:
    """A FID stands for one field: of several files with the same, none can be told to be the right one."""
    repeated = fovs["fov_id"].duplicated(keep=False)
    fovs.loc[repeated, "problem"] = [
        f"several files have the id {fov}; keep one" for fov in fovs.loc[repeated, "fov_id"]
    ]
    fovs.loc[repeated, "status"] = "bad"
    fovs["fov_id"] = fovs["fov_id"].where(~repeated, fovs["key"])
    return fovs


def report_bad(fovs: pd.DataFrame, max_bad_share: float) -> None:
    """Log each bad field; raise InputError if they are a larger share of all than allowed."""
    bad = fovs[fovs["status"] == "bad"]
    for field in bad.itertuples():
        logging.warning("left out: %s: %s", field.key, field.problem)
    if len(bad):
        logging.warning("%d of %d fields are bad and left out", len(bad), len(fovs))
    if len(bad) > max_bad_share * len(fovs):
        first = bad.iloc[0]
        raise InputError(
            f"{len(bad)} of {len(fovs)} fields are bad, more than quality.max_bad_share = {max_bad_share}; "
            f"the first is {first['key']}: {first['problem']}"
        )
