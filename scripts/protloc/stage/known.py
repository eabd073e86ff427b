"""What is known of a listed file before it comes: from the sources, their lock, and its publisher."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

from protloc.config.pins import Pin, lock_of, read_pins, write_pins
from protloc.config.sources import Source
from protloc.errors import InputError
from protloc.listing import Listed, Listing
from protloc.stage.files import File
from protloc.stage.web import Web
from protloc.stage.zenodo import is_of_record, published


def file_of(source: Source, path: Path) -> File:
    """The file of a row, as far as the sources and their lock know it."""
    return File(source.name, path, source.url, source.size, source.sha256, source=source.name)


class Lock:
    """The pins beside a table of sources: what was found is compared with them, what is new is added."""

    def __init__(self, sources: Path) -> None:
        self.path = lock_of(sources)
        self._pins = read_pins(self.path)
        self.added: dict[str, Pin] = {}

    def look_up(self, file: File, web: Web) -> tuple[File, str]:
        """The file with what its publisher says of it, and its licence if that is said.

        Raises InputError where this is not what the sources or the lock say.
        """
        if is_of_record(file.url):
            found = published(web, file.url)
            self._compare(file, found.size, f"md5:{found.md5}")
            return replace(file, size=found.size, md5=found.md5), found.licence
        if file.size is not None:
            return file, ""
        headers = web.head(file.url, file.what)
        size, etag = headers.get("Content-Length"), headers.get("ETag")
        of_s3 = "x-amz-request-id" in headers or headers.get("Server") == "AmazonS3"
        md5 = Listed(file.what, 0, etag).md5 if of_s3 else None  # elsewhere an ETag may be anything
        return replace(file, size=int(size) if size else None, etag=etag, md5=md5), ""

    def compare_listing(self, name: str, address: str, listing: Listing) -> None:
        """Raise InputError if a bucket is not what it was when it was pinned."""
        pin, now = self._pins.get(name), self._of_listing(name, address, listing)
        if pin is None or (pin.url, pin.sha256) == (now.url, now.sha256):
            return
        raise InputError(
            f"{self.path}: {name}: {pin.files} projections of {pin.size} bytes were pinned on {pin.pinned}, "
            f"now {now.files} of {now.size} are listed, or others; run again, as a page may have been lost, "
            "or delete the row to take what there is now"
        )

    def pin_listing(self, name: str, address: str, listing: Listing) -> None:
        """Add a bucket that was fetched."""
        if name not in self._pins:
            self._add(self._of_listing(name, address, listing))

    def pin(self, file: File, size: int, sha256: str) -> None:
        """Add a file that was fetched and checked, unless the sources or the lock have it."""
        if file.source is None or file.source in self._pins or file.sha256 is not None:
            return
        checksum = f"md5:{file.md5}" if file.md5 else None
        trust = "publisher" if is_of_record(file.url) else "first use"
        row = {"name": file.source, "url": file.url, "files": 1, "size": size, "sha256": sha256}
        self._add(Pin(**row, checksum=checksum, trust=trust, pinned=_today()))

    def _add(self, pin: Pin) -> None:
        self._pins[pin.name] = self.added[pin.name] = pin
        try:
            write_pins(self.path, read_pins(self.path) | {pin.name: pin})
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be written ({error}); {pin.name} has sha256 {pin.sha256}, "
                f"size {pin.size}: enter them in the sources"
            ) from error

    def _compare(self, file: File, size: int, checksum: str) -> None:
        pin = self._pins.get(file.what)
        known = {"size": (file.size, size), "checksum": (pin.checksum if pin else None, checksum)}
        for column, (expected, found) in known.items():
            if expected not in (None, found):
                where = f"{self.path}: delete the row {file.what}" if pin else "correct config/sources.csv"
                raise InputError(
                    f"{file.what}: {column}: its publisher says {found}, before it was {expected}; see what "
                    f"has changed, and to take it, {where}"
                )

    @staticmethod
    def _of_listing(name: str, address: str, listing: Listing) -> Pin:
        images = listing.projections
        size = sum(image.size for image in images)
        row = {"name": name, "url": address, "files": len(images), "size": size, "sha256": listing.digest}
        return Pin(**row, checksum=None, trust="first use", pinned=_today())


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()
