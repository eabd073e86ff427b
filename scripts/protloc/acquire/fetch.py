"""One object from a store to the disk: whole, verified, and only if it is not there already."""

from __future__ import annotations

import hashlib
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from protloc.atomic import write_bytes
from protloc.errors import InputError
from protloc.hashing import sha256_bytes
from protloc.listing import Listed


def fetch(store: ObjectStore, entry: Listed, root: Path) -> bytes:
    """The content of a listed object, which then lies below `root` under its key.

    A file that is there is kept if its digest proves that it is the object; where none is known (folders,
    objects uploaded in parts) it is fetched again. Raises InputError where the transfer fails or what arrived
    is not what was listed; the file then does not get its name.
    """
    path = root / entry.key
    if (entry.md5 or entry.sha256) and path.is_file() and path.stat().st_size == entry.size:
        content = path.read_bytes()
        if _is(content, entry):
            return content
    try:
        content = obstore.get(store, entry.key).bytes().to_bytes()
    except (BaseError, OSError) as error:
        raise InputError(f"{entry.key}: could not be fetched ({error}); run again to go on") from error
    if not _is(content, entry):
        raise InputError(
            f"{entry.key}: what arrived is not what the store lists; run again, after protloc stage if that "
            "listed it"
        )
    write_bytes(path, content)
    return content


def _is(content: bytes, entry: Listed) -> bool:
    """Whether it has the length and the digests that are known of the object."""
    if len(content) != entry.size or entry.sha256 not in (None, sha256_bytes(content)):
        return False
    return entry.md5 in (None, hashlib.md5(content, usedforsecurity=False).hexdigest())
