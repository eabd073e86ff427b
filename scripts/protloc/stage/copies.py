"""Files that someone has copied over, found by name anywhere below a folder, and taken if they are right."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from pathlib import Path

from protloc.atomic import atomic
from protloc.errors import InputError
from protloc.listing import Listing, read_listing
from protloc.stage.files import File, check_place, nearest_folder


class Copies:
    """The files below a folder, by name; of none, nothing is ever found."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None and not folder.is_dir():
            raise InputError(f"--mirror: {folder}: no such folder")
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(folder.rglob("*")) if folder else ():
            if path.is_file():
                self._by_name[path.name].append(path)

    def have(self, file: File) -> bool:
        """Whether there is one by its name."""
        return bool(self._by_name.get(file.path.name))

    def links(self, file: File) -> bool:
        """Whether one could be linked, which takes no room."""
        found = (path for path in self._by_name.get(file.path.name, ()) if file.size == path.stat().st_size)
        device = nearest_folder(file.path).stat().st_dev
        return any(path.stat().st_dev == device for path in found)

    def take(self, file: File) -> bool:
        """Put a right one in the file's place, as a hard link or a copy; whether there was one."""
        for path in self._by_name.get(file.path.name, ()):
            if file.size not in (None, path.stat().st_size):
                continue
            check_place(file.path)
            try:
                with atomic(file.path) as temporary:
                    _link(path, temporary)
                    if (fault := file.fault(temporary)) is not None:
                        raise InputError(fault)
            except InputError:
                continue
            return True
        return False

    def listing(self, name: str, mirror: str, endpoint: str | None) -> Listing | None:
        """The listing of that bucket that was copied over with its files."""
        found = (read_listing(path, mirror, endpoint) for path in self._by_name.get(name, ()))
        return next((listing for listing in found if listing is not None), None)


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path.resolve(), target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(path, target)
