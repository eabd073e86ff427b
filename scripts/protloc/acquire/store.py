"""One way to the images, whatever the place: an S3 bucket or a folder with the same keys."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from protloc.errors import InputError
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


def list_images(store: ObjectStore, mirror: str) -> list[obstore.ObjectMeta]:
    """The TIFF files below `microscopy/raw/`, in the order of their keys.

    Raises InputError for a mirror that has none or cannot be listed.
    """
    try:
        found = sorted(_listed(store), key=lambda entry: entry["path"])
    except (BaseError, OSError) as error:
        raise InputError(f"{mirror}: cannot be listed ({_first_line(error)})") from error
    images = [entry for entry in found if entry["path"].lower().endswith((".tif", ".tiff"))]
    if not images:
        raise InputError(f"{mirror}: no TIFF files below {PREFIX}; is it a mirror of OpenCell's bucket?")
    if len(images) < len(found):
        logging.info("%s: %d files that are no TIFFs were passed over", mirror, len(found) - len(images))
    return images


def _listed(store: ObjectStore) -> Iterator[obstore.ObjectMeta]:
    for page in obstore.list(store, prefix=PREFIX):
        yield from page


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
