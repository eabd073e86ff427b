"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial"


def partial_name(path: Path) -> Path:
    """A hidden name beside `path`, with its suffix: this process's own, which no glob for results matches."""
    return path.with_name(f"{PARTIAL}-{platform.node()}-{os.getpid()}-{path.name}")


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Delete what killed processes of this host left beside `path` under its temporary names."""
    for leftover in path.parent.glob(f"{PARTIAL}-{platform.node()}-*-{path.name}"):
        owner = leftover.name.removeprefix(f"{PARTIAL}-{platform.node()}-").split("-")[0]
        if owner.isdecimal() and not _alive(int(owner)):
            remove(leftover)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it when the block ends well, delete it otherwise."""
    temporary = partial_name(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, UTF-8."""
    write_bytes(path, text.encode())
