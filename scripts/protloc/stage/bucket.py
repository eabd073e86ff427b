"""The listing of a public bucket, page after page, by S3's ListObjectsV2."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from protloc.errors import InputError
from protloc.listing import Listed
from protloc.opencell import PREFIX
from protloc.stage.web import Web

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def list_bucket(web: Web, address: str, what: str) -> Iterator[Listed]:
    """The objects below `microscopy/raw/`, in the order of their keys.

    Raises InputError where a page is not what S3 gives: shorter than it says, out of order, or without the
    token of the next.
    """
    token, last = None, ""
    while True:
        asked = {"list-type": "2", "prefix": PREFIX} | ({"continuation-token": token} if token else {})
        page = _page(web.read(address, f"{what}: the listing", asked), what)
        objects = [_object(one, what) for one in page.iterfind("Contents")]
        count = page.findtext("KeyCount")
        if count is not None and int(count) != len(objects):
            raise InputError(f"{what}: a page of the listing has {len(objects)} keys, not {count}; run again")
        for one in objects:
            if one.key <= last:
                raise InputError(f"{what}: the listing is out of order at {one.key}; run again")
            last = one.key
        yield from objects
        if page.findtext("IsTruncated") != "true":
            return
        before, token = token, page.findtext("NextContinuationToken")
        if not token or token == before:
            raise InputError(f"{what}: the listing breaks off after {last}; run again")


def _page(text: bytes, what: str) -> ElementTree.Element:
    """The root of a page, the names of its elements without S3's namespace."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"{what}: the listing is no XML ({error}); is it a bucket?") from error
    for element in root.iter():
        element.tag = element.tag.removeprefix(NAMESPACE)
    if root.tag != "ListBucketResult":
        raise InputError(f"{what}: answers with {root.tag}, not with a listing; is it a public bucket?")
    return root


def _object(element: ElementTree.Element, what: str) -> Listed:
    key, size = element.findtext("Key"), element.findtext("Size")
    if key is None or size is None or not size.isdecimal():
        raise InputError(f"{what}: the listing has an object without key or length; run again")
    return Listed(key, int(size), element.findtext("ETag"))
