"""Whether there is room for what is to come, before any of it comes, and what it means if there is none."""

from __future__ import annotations

import errno
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from protloc.errors import InputError
from protloc.progress import amount
from protloc.stage.files import File, nearest_folder
from protloc.stage.patience import GivenUp
from protloc.stage.transfer import part_of

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def check_space(files: Iterable[File]) -> str:
    """A line on what is free; raises InputError that says how much is missing, bytes or number of files."""
    places: dict[int, list[File]] = defaultdict(list)
    for file in files:
        places[nearest_folder(file.path).stat().st_dev].append(file)
    return ", ".join(_check(those) for those in places.values())


def unwritable(where: Path, error: OSError) -> GivenUp:
    """What it means that something could not be written, in a line."""
    if error.errno in FULL:
        return GivenUp(f"{where}: the disk is full; free some, and run again: what has arrived is kept")
    return GivenUp(f"{where}: cannot be written ({os.strerror(error.errno or 0)}); run again when it can")


def _check(files: list[File]) -> str:
    folder = Path(os.path.commonpath([file.path.parent for file in files]))
    there = nearest_folder(folder)
    needed = sum((file.size or 0) - _arrived(file) for file in files)
    free, inodes = shutil.disk_usage(there).free, os.statvfs(there)
    fix = "free some, or make data/ a link to a larger file system"
    if needed > free:
        short = amount(needed - free)
        raise InputError(f"{folder}: {amount(needed)} to come, {amount(free)} free, {short} missing; {fix}")
    if inodes.f_files and inodes.f_favail < len(files):
        short = len(files) - inodes.f_favail
        raise InputError(f"{folder}: {len(files)} files to come, {short} more than it takes; {fix}")
    return f"{amount(free)} free in {folder}"


def _arrived(file: File) -> int:
    part = part_of(file)
    return part.stat().st_size if part.is_file() else 0
