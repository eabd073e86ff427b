"""The images of a bucket as files that are to be there: listed once, and the listing kept."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from protloc.errors import InputError
from protloc.listing import Listing, check_count, images_of, read_listing, write_listing
from protloc.stage.bucket import list_bucket
from protloc.stage.copies import Copies
from protloc.stage.files import File
from protloc.stage.known import Lock
from protloc.stage.plan import Bucket
from protloc.stage.web import Web


def listing_of(bucket: Bucket, web: Web, copies: Copies, lock: Lock) -> Listing:
    """What the bucket holds: as it was kept, or copied over, or as it says now, which is then kept.

    Raises InputError where this is not what was expected, or pinned.
    """
    listing = read_listing(bucket.listing, bucket.mirror, bucket.endpoint)
    if listing is None:
        listing = copies.listing(bucket.listing.name, bucket.mirror, bucket.endpoint)
    if listing is None:
        found = images_of(list_bucket(web, bucket.address, bucket.mirror), bucket.mirror)
        listing = Listing(bucket.mirror, bucket.endpoint, tuple(found))
    check_count(listing.images, bucket.expected, bucket.mirror)
    if bucket.source is not None:
        lock.compare_listing(bucket.source.name, bucket.address, listing)
    write_listing(bucket.listing, listing)
    return listing


def kept_listing(bucket: Bucket) -> Listing:
    """The listing that was kept; raises InputError where there is none."""
    listing = read_listing(bucket.listing, bucket.mirror, bucket.endpoint)
    if listing is None:
        raise InputError(f"{bucket.listing}: there is none of {bucket.mirror}; run protloc stage first")
    return listing


def files_of(bucket: Bucket, listing: Listing) -> list[File]:
    """The projections as files below `data/{study}/raw`."""
    files = []
    for image in listing.projections:
        url = f"{bucket.address}{quote(image.key)}"
        known = {"size": image.size, "sha256": image.sha256, "md5": image.md5, "etag": image.etag}
        files.append(File(Path(image.key).name, bucket.raw / image.key, url, **known))
    return files
