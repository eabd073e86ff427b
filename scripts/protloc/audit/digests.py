"""Digests of many files at once, remembered while a file is what it was."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from protloc.atomic import write_text
from protloc.hashing import sha256_path
from protloc.parallel import in_order
from protloc.progress import progress

CACHE = Path(".audit/digests.json")
State = tuple[int, ...]


class Digests:
    """SHA-256 by path. Those of unchanged files are remembered in a file below `root`.

    A file is unchanged if its size, inode and both its times are: that of its content can be set back at
    will, that of its entry cannot. With `rehash` every file is read again. A folder's digest is of the names
    and digests in it.
    """

    def __init__(self, root: Path, rehash: bool = False) -> None:
        self._file = root / CACHE
        self._known = {} if rehash else self._read()
        self._lock = threading.Lock()
        self.hashed_bytes = 0

    def __getitem__(self, path: Path) -> str:
        """The digest of a file or folder that is there."""
        if path.is_dir():
            return sha256_path(path)
        state, key = _state(path), str(path)
        with self._lock:
            if (known := self._known.get(key)) and known[0] == list(state):
                return known[1]
        digest = sha256_path(path)
        with self._lock:
            self._known[key] = [list(state), digest]
            self.hashed_bytes += state[0]
        return digest

    def prepare(self, paths: Iterable[Path]) -> None:
        """Read all these files, as many at a time as there are cores, under a bar."""
        work = sorted(set(paths), key=str)
        workers = len(os.sched_getaffinity(0))
        read = in_order(self.__getitem__, work, workers=workers, ahead=4 * workers)
        for _ in progress(read, total=len(work), unit="files"):
            pass

    def keep(self) -> None:
        """Remember what was read, where the folder can be written to."""
        if self.hashed_bytes and os.access(self._file.parent.parent, os.W_OK):
            write_text(self._file, json.dumps(self._known))

    def _read(self) -> dict[str, list]:
        try:
            known = json.loads(self._file.read_text())
            return {key: [list(map(int, state)), str(digest)] for key, (state, digest) in known.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _state(path: Path) -> State:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
