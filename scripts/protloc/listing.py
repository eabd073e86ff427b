"""What a bucket holds, as it was listed: kept beside what was fetched, so that nothing has to ask again."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from protloc.atomic import write_text
from protloc.errors import InputError
from protloc.hashing import sha256_value
from protloc.opencell import PREFIX, parse_key

NAME = "listing.json"  # in data/{study}, beside the folder raw
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


class Listed(NamedTuple):
    """An object: its key, length in bytes, ETag, and where that is no MD5 the digest of what came."""

    key: str
    size: int
    etag: str | None
    sha256: str | None = None

    @property
    def md5(self) -> str | None:
        """The MD5 of the content, where the store says it: objects uploaded in parts have none."""
        match = _MD5.fullmatch(self.etag or "")
        return match[1] if match else None

    @property
    def is_projection(self) -> bool:
        """Whether the key is that of a projection, not of a z-stack or of something else."""
        name = parse_key(self.key)
        return name is not None and name.kind == "proj"


@dataclass(frozen=True)
class Listing:
    """The images of the bucket `mirror` on the server `endpoint` (None: Amazon's), in the order of keys."""

    mirror: str
    endpoint: str | None
    images: tuple[Listed, ...]

    @property
    def projections(self) -> list[Listed]:
        """Those that a study takes."""
        return [image for image in self.images if image.is_projection]

    def missing(self, raw: Path) -> list[Listed]:
        """Projections of which no file of their length is below `raw`."""
        paths = {image: raw / image.key for image in self.projections}
        return [one for one, path in paths.items() if not path.is_file() or path.stat().st_size != one.size]

    @property
    def digest(self) -> str:
        """SHA-256 of keys, lengths and ETags of the projections."""
        return sha256_value([[image.key, image.size, image.etag] for image in self.projections])


def images_of(found: Iterable[Listed], mirror: str) -> list[Listed]:
    """The TIFF files among them, in the order of their keys; raises InputError where there are none."""
    found = sorted(found)
    images = [image for image in found if image.key.lower().endswith((".tif", ".tiff"))]
    if not images:
        raise InputError(f"{mirror}: no TIFF files below {PREFIX}; is it a mirror of OpenCell's bucket?")
    if len(images) < len(found):
        logging.info("%s: %d files that are no TIFFs were passed over", mirror, len(found) - len(images))
    return images


def check_count(images: Iterable[Listed], expected: int | None, mirror: str) -> None:
    """Raise InputError if fewer projections are listed than expected; warn of more."""
    count = sum(image.is_projection for image in images)
    if expected is None or count == expected:
        return
    said = f"{mirror}: lists {count} projections, acquisition.expected_fields says {expected}"
    if count > expected:
        logging.warning("%s", said)
        return
    raise InputError(f"{said}; run again, as a page may have been lost, or correct the number")


def read_listing(path: Path, mirror: str, endpoint: str | None) -> Listing | None:
    """The listing that was kept; None where there is none, or it is of another bucket.

    Raises InputError for a file that is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        images = tuple(Listed(*image) for image in content["images"])
        kept = Listing(content["mirror"], content["endpoint"], images)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a listing of a bucket ({error}); delete it") from error
    return kept if (kept.mirror, kept.endpoint) == (mirror, endpoint) else None


def write_listing(path: Path, listing: Listing) -> None:
    """Write it atomically, an image a line; what is there already is left as it is."""
    rows = ",\n".join(json.dumps(image) for image in listing.images)
    head = json.dumps({"mirror": listing.mirror, "endpoint": listing.endpoint})
    text = f'{head[:-1]}, "images": [\n{rows}\n]}}\n'
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
