"""Fields of view as arrays of counts, decoded from their TIFF bytes."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import numpy as np
import tifffile

from protloc.errors import InputError
from protloc.hashing import sha256_bytes

CHANNELS = ("nucleus", "protein")
logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it would log is raised below, with the name


def read_field(root: Path, key: str, sha256: str) -> np.ndarray:
    """The pixels of the field `key` below `root`, proven to be those that `fovs.parquet` lists.

    Raises InputError where the file is missing, lies outside `root`, or has another digest.
    """
    path = root / key
    if not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{path}: lies outside {root}; correct the key in fovs.parquet")
    if not path.is_file():
        raise InputError(f"{path}: is listed in fovs.parquet but missing; run again with --forcerun acquire")
    content = path.read_bytes()
    if sha256_bytes(content) != sha256:
        raise InputError(f"{path}: is not the file listed in fovs.parquet; run again with --forcerun acquire")
    return decode_field(content, key)


def decode_field(content: bytes, name: str) -> np.ndarray:
    """The pixels of a field of view: uint16 counts, shape (2, height, width), nucleus then protein.

    `name` is used in messages. Raises InputError for a file that is empty, truncated, or not two channels of
    16-bit unsigned integers.
    """
    if not content:
        raise InputError(f"{name}: the file is empty; fetch it again")
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as tiff:
            pixels = tiff.asarray()
    except Exception as error:  # a damaged TIFF raises whatever its damaged bytes lead to
        raise InputError(f"{name}: not a readable TIFF ({_first_line(error)}); fetch it again") from error
    if pixels.dtype != np.uint16:
        raise InputError(f"{name}: pixels are {pixels.dtype}, expected uint16; export the raw counts")
    if pixels.ndim != 3 or pixels.shape[0] != len(CHANNELS):
        raise InputError(f"{name}: shape is {pixels.shape}, expected (2, height, width): nucleus, protein")
    return pixels


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
