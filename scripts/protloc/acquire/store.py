"""One way to the images, whatever the place: an S3 bucket or a folder with the same keys."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from protloc.errors import InputError
from protloc.listing import Listed, images_of, read_listing
from protloc.opencell import PREFIX

S3 = "s3://"


def open_store(mirror: str, region: str, endpoint: str | None) -> ObjectStore:
    """A store for `s3://bucket` (public, unsigned) or for a folder.

    `endpoint` is the address of another S3 server than Amazon's. Raises InputError for a folder that is not
    there.
    """
    if mirror.startswith(S3):
        config = {"endpoint": endpoint, "virtual_hosted_style_request": False} if endpoint else {}
        plain = bool(endpoint and endpoint.startswith("http://"))
        return S3Store(
            mirror.removeprefix(S3),
            region=region,
            skip_signature=True,
            client_options={"allow_http": plain},
            **config,
        )
    if not Path(mirror).is_dir():
        raise InputError(f"acquisition.mirror: {mirror}: no such folder; give a mirror folder or s3://bucket")
    return LocalStore(mirror)


def list_images(store: ObjectStore, mirror: str) -> list[Listed]:
    """The TIFF files below `microscopy/raw/`, in the order of their keys.

    Raises InputError for a mirror that has none or cannot be listed.
    """
    try:
        return images_of(_listed(store), mirror)
    except (BaseError, OSError) as error:
        raise InputError(f"{mirror}: cannot be listed ({_first_line(error)})") from error


def staged_images(path: Path, mirror: str, endpoint: str | None) -> list[Listed] | None:
    """The same as `protloc stage` listed them, who has also fetched them; None where it has not."""
    listing = read_listing(path, mirror, endpoint)
    if listing is None:
        return None
    logging.info("%s: lists %d images; the network is not asked", path, len(listing.images))
    return list(listing.images)


def _listed(store: ObjectStore) -> Iterator[Listed]:
    for page in obstore.list(store, prefix=PREFIX):
        for entry in page:
            yield Listed(entry["path"], entry["size"], entry["e_tag"])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
