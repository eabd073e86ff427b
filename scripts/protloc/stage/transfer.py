"""One file over HTTP: from where it was cut off, checked, and under its name only when it is right."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import requests

from protloc.errors import InputError
from protloc.stage.files import File, check_place
from protloc.stage.patience import Wrong
from protloc.stage.web import BEYOND, Web

PAGE = "text/html"  # what a portal or a proxy answers with in place of a file
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


Told = Callable[[int], None]  # bytes that came, or, below 0, that were thrown away


class Changed(InputError):
    """What is at an address is not what was there before."""


def transfer(file: File, web: Web, told: Told) -> None:
    """Fetch a file; raises InputError where that is impossible or what arrives is not what was expected.

    What has arrived is kept under a hidden name that says of which content it is a part, so that a later call
    goes on with it, and never with a part of something else.
    """
    check_place(file.path)
    part = part_of(file)
    part.parent.mkdir(parents=True, exist_ok=True)
    for other in part.parent.glob(f".{file.path.name}.*.part"):
        if other != part or _nameless(file):
            other.unlink()
    told(_size(part))

    def step() -> None:
        _fill(file, part, web, told)
        if (fault := file.fault(part)) is not None:
            told(-_size(part))
            part.unlink()
            raise _wrong("wrong content", file, fault)

    web.patience.until_done(step, file.what)
    part.replace(file.path)


def part_of(file: File) -> Path:
    """Where the part of a file is that has arrived; another content has another name."""
    state = f"{file.size} {file.etag} {file.sha256} {file.md5}"
    mark = hashlib.sha256(state.encode()).hexdigest()[:12]
    return file.path.with_name(f".{file.path.name}.{mark}.part")


def _nameless(file: File) -> bool:
    """Whether nothing would tell that two parts are of the same content."""
    return not (file.etag or file.sha256 or file.md5)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fill(file: File, part: Path, web: Web, told: Told) -> None:
    """Bring what is missing at the end of the part."""
    there = _size(part)
    if file.size is not None and there > file.size:
        part.unlink()
        told(-there)
        there = 0
    if there and there == file.size:
        return
    headers = {"Range": f"bytes={there}-"} if there else {}
    with web.open(file.url, file.what, headers) as response:
        if response.status_code == BEYOND:  # it is shorter than what is here of it
            part.unlink()
            told(-there)
            raise _wrong("wrong length", file, f"is shorter than {there} bytes")
        start = _start(file, response)
        if start != there:  # the whole file, as from a server that knows no ranges
            told(-there)
        # Unbuffered: what has arrived is on its way to the disk, whatever happens to this process.
        with part.open("r+b" if there else "wb", buffering=0) as stream:
            stream.truncate(start)
            stream.seek(start)
            for piece in web.pieces(response):
                _write(stream.fileno(), piece)
                told(len(piece))


def _start(file: File, response: requests.Response) -> int:
    """Where in the file the body begins; raises Changed or Wrong if it is of another than expected."""
    etag = response.headers.get("ETag")
    if file.etag and etag and etag != file.etag and (file.md5 or _asked(response)):
        raise Changed(f"{file.what}: was changed by its publisher while it was fetched; run again")
    if response.headers.get("Content-Type", "").startswith(PAGE):
        raise _wrong("a web page", file, "is a web page, as of a login or a proxy")
    length = response.headers.get("Content-Length")
    start, total = 0, int(length) if length else None
    if response.status_code == 206:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != _asked(response):
            raise _wrong("wrong range", file, "is another part than was asked for")
        start, total = int(match[1]), None if match[2] == "*" else int(match[2])
    if None not in (file.size, total) and total != file.size:
        raise _wrong("wrong length", file, f"has {total} bytes, expected {file.size}")
    return start


def _asked(response: requests.Response) -> int:
    return int(response.request.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


def _wrong(reason: str, file: File, fault: str) -> Wrong:
    said = f"{file.what}: what arrives {fault}; run again later: if it stays so, the source is another"
    return Wrong(reason, said)


def _write(descriptor: int, piece: bytes) -> None:
    """All of the piece: a disk that fills up takes a part of it first, then raises."""
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]
