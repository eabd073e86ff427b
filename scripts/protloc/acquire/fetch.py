"""One object from a store to the disk: whole, verified, and only if it is not there already."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from protloc.atomic import write_bytes
from protloc.errors import InputError

_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


def fetch(store: ObjectStore, entry: obstore.ObjectMeta, root: Path) -> bytes:
    """The content of a listed object, which then lies below `root` under its key.

    A file that is there is kept if the store's MD5 proves that it is the object; without an MD5 (folders,
    objects uploaded in parts) it is fetched again. Raises InputError where the transfer fails or what arrived
    is not what was listed; the file then does not get its name.
    """
    path = root / entry["path"]
    md5 = _MD5.fullmatch(entry["e_tag"] or "")
    if md5 and path.is_file() and path.stat().st_size == entry["size"]:
        content = path.read_bytes()
        if _md5(content) == md5[1]:
            return content
    try:
        content = obstore.get(store, entry["path"]).bytes().to_bytes()
    except (BaseError, OSError) as error:
        raise InputError(f"{entry['path']}: could not be fetched ({error}); run again to go on") from error
    if len(content) != entry["size"] or (md5 and _md5(content) != md5[1]):
        raise InputError(f"{entry['path']}: what arrived is not what the store lists; run again")
    write_bytes(path, content)
    return content


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
