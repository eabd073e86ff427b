"""The files of a crate: copied into it where they are at hand, else known by their records."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from protloc.audit.crate.graph import Graph, Ref, file_id, local_id
from protloc.errors import InputError
from protloc.facts import PROJECT, record_path
from protloc.hashing import sha256_path, size_bytes
from protloc.modules import SCRIPTS

FORMATS = {
    ".bib": "application/x-bibtex",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".lock": "application/toml",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".py": "text/x-python",
    ".rst": "text/x-rst",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".toml": "application/toml",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
}
UNWANTED = {"__pycache__", ".snakemake"}
ROOT = {"@id": "./"}


@dataclass
class Files:
    """What lies in the crate's `folder`; entities by the name and digest that the records have."""

    folder: Path
    graph: Graph
    _known: dict[tuple[str, str], Ref] = field(default_factory=dict)

    def result(self, name: str, digest: str, file: Path, home: Path, place: PurePosixPath) -> Ref:
        """A result, copied to `place` with its record unless it is gone or a link leads out of `home`.

        Raises InputError if it is not what its record says: a crate vouches for what it holds.
        """
        target = self.folder / place
        if not copy_inside(file, target, home):
            return self.absent(name, digest)
        if sha256_path(target) != digest:
            raise InputError(f"{file}: is not what its record says; see protloc audit, and make it again")
        ref = self._describe(place, name, digest)
        self._known[name, digest] = ref
        record = record_path(target)
        if copy_inside(record_path(file), record, home):
            beside = self.present(PurePosixPath(record.relative_to(self.folder)))
            self.graph.link(ref, "subjectOf", beside)
        return ref

    def source(self, file: Path, home: Path, digest: str | None = None) -> Ref | None:
        """A file or folder of the project at its own place; None if it is not here, or not of this digest."""
        place = PurePosixPath(file.relative_to(home))
        if not (self.folder / place).exists() and not copy_inside(file, self.folder / place, home):
            return None
        here = sha256_path(self.folder / place)
        if digest not in (None, here):
            return None
        ref = self._describe(place, place.as_posix(), here if (self.folder / place).is_file() else None)
        self._known[f"{PROJECT}/{place}", here] = ref
        return ref

    def present(self, place: PurePosixPath) -> Ref:
        """A file that lies in the crate."""
        return self._describe(place, place.as_posix(), sha256_path(self.folder / place))

    def named(self, name: str, digest: str) -> Ref:
        """The file of this name and content that a record speaks of."""
        return self._known[name, digest] if self.knows(name, digest) else self.absent(name, digest)

    def knows(self, name: str, digest: str) -> bool:
        """Whether a file of this name and content is described; one of the project's is from now on."""
        if (name, digest) not in self._known and name.startswith(f"{PROJECT}/"):
            home = SCRIPTS.parent
            self.source(home / name.removeprefix(f"{PROJECT}/"), home, digest)
        return (name, digest) in self._known

    def absent(self, name: str, digest: str, folder: bool = False, address: str | None = None) -> Ref:
        """A file or folder that the crate does not hold, known by its record."""
        ref = self.graph.add(
            local_id("file", name, digest[:16]),
            "Dataset" if folder else "File",
            name=name,
            sha256=digest,
            description="Not in this crate: name and digest are from the records of what was made with it",
            contentUrl=address,
            encodingFormat=None if folder else FORMATS.get(PurePosixPath(name).suffix),
        )
        self.graph.link(ROOT, "hasPart", ref)
        self._known[name, digest] = ref
        return ref

    def _describe(self, place: PurePosixPath, name: str, digest: str | None) -> Ref:
        file = self.folder / place
        folder = file.is_dir()
        ref = self.graph.add(
            file_id(place) + "/" * folder,
            "Dataset" if folder else "File",
            name=name,
            sha256=digest,
            contentSize=None if folder else str(size_bytes(file)),
            encodingFormat=None if folder else FORMATS.get(file.suffix),
        )
        self.graph.link(ROOT, "hasPart", ref)
        return ref


def copy_inside(source: Path, target: Path, home: Path) -> bool:
    """Whether a file or folder was copied; not if it is gone, or a link in it leads out of `home`."""
    members = [source] if source.is_file() else list(_members(source))
    if not source.exists() or not all(_inside(path, home) for path in (source, *members)):
        return False
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    for member in members:
        place = target / member.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(member, place)
    return bool(members) or source.is_dir()


def _members(folder: Path) -> Iterator[Path]:
    """The files below a folder; links to folders are not followed."""
    for inner, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in UNWANTED]
        yield from (path for name in names if (path := Path(inner, name)).is_file())


def _inside(path: Path, home: Path) -> bool:
    return path.resolve().is_relative_to(home.resolve())
