"""A file that is to be there, and what tells whether it is the right one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from protloc.errors import InputError

BLOCK = 1 << 20


@dataclass(frozen=True)
class File:
    """Where a file goes and comes from; what is known of it. `source` is its row of the sources, if any."""

    what: str
    path: Path
    url: str
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    etag: str | None = None
    source: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether a file of its length has its name; what has the name was checked when it got it."""
        return self.path.is_file() and self.size in (None, self.path.stat().st_size)

    @property
    def known_by(self) -> str:
        """The strongest that vouches for its content: sha256, md5, or its length alone."""
        return "sha256" if self.sha256 else "md5" if self.md5 else "length"

    def fault(self, path: Path) -> str | None:
        """What is wrong with the content of a file that may be it, or None."""
        size = path.stat().st_size
        if self.size not in (None, size):
            return f"has {size} bytes, expected {self.size}"
        for kind in ("sha256", "md5"):
            expected = getattr(self, kind)
            if expected is not None and (digest := digest_of(path, kind)) != expected:
                return f"has {kind} {digest}, expected {expected}"
        return None


def digest_of(path: Path, kind: str) -> str:
    """Hexadecimal digest of a file; `kind` is sha256 or md5."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


def check_place(path: Path) -> None:
    """Raise InputError for a place that is taken by something else than a file."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is no file, and a file is to go there; move it away")


def nearest_folder(path: Path) -> Path:
    """The nearest folder above that exists."""
    path = path.absolute()
    return next(one for one in (path, *path.parents) if one.is_dir())
