"""What Zenodo's record says of a file: its length, its MD5, and the licence."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from protloc.errors import InputError
from protloc.stage.web import Web

_FILE = re.compile(r"(?P<base>https?://\S+)/records/(?P<record>\d+)/files/(?P<name>[^/?]+)(\?.*)?")


class Published(NamedTuple):
    """A file of a record: bytes, hexadecimal MD5, and the record's licence, empty if it names none."""

    size: int
    md5: str
    licence: str


def is_of_record(url: str) -> bool:
    """Whether an address is that of a file of a record."""
    return _FILE.fullmatch(url) is not None


def published(web: Web, url: str) -> Published:
    """What the record's API says; raises InputError where the record lacks the file, or its checksum."""
    match = _FILE.fullmatch(url)
    assert match is not None
    what = f"Zenodo record {match['record']}"
    text = web.read(f"{match['base']}/api/records/{match['record']}", what)
    try:
        record = json.loads(text)
        files = {str(file["key"]): file for file in record["files"]}
        if match["name"] not in files:
            known = ", ".join(files)
            raise InputError(f"{what}: has no file {match['name']}, but {known}; correct the sources")
        file = files[match["name"]]
        kind, _, digest = str(file["checksum"]).partition(":")
        licence = record.get("metadata", {}).get("license", {}).get("id", "")
        if kind != "md5" or not re.fullmatch("[0-9a-f]{32}", digest):
            raise InputError(f"{what}: {match['name']}: has the checksum {file['checksum']}, expected an MD5")
        return Published(int(file["size"]), digest, str(licence))
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{what}: its description cannot be read ({error!r}); run again later") from error
