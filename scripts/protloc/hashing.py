"""Digests of files, folders and values."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

TIMESTAMP = ".snakemake_timestamp"


def sha256_bytes(content: bytes) -> str:
    """Hexadecimal SHA-256 of bytes in memory."""
    return hashlib.sha256(content).hexdigest()


def sha256_value(value: Any) -> str:
    """Hexadecimal SHA-256 of a JSON value, independent of the order of its keys."""
    return sha256_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def sha256_path(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, or of a folder's names and contents in sorted order.

    The empty file by which Snakemake marks the time of a folder is not content.
    """
    if path.is_dir():
        members = sorted(
            member for member in path.rglob("*") if member.is_file() and member.name != TIMESTAMP
        )
        return sha256_value(
            [[member.relative_to(path).as_posix(), sha256_path(member)] for member in members]
        )
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def size_bytes(path: Path) -> int:
    """Length of a file, or of all files in a folder, bytes."""
    members = path.rglob("*") if path.is_dir() else [path]
    return sum(member.stat().st_size for member in members if member.is_file())
