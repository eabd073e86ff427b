"""One call of `protloc stage`: what is missing, from whom, whether there is room, and then the transfer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace

from protloc.config.sources import Source
from protloc.errors import InputError
from protloc.listing import Listing, write_listing
from protloc.progress import Meter, amount
from protloc.stage.copies import Copies
from protloc.stage.files import File, digest_of
from protloc.stage.images import files_of, listing_of
from protloc.stage.known import Lock, file_of
from protloc.stage.patience import GivenUp, Stopped
from protloc.stage.plan import Bucket, Plan
from protloc.stage.space import check_space, unwritable
from protloc.stage.text import Row, counted, table
from protloc.stage.transfer import Changed, transfer
from protloc.stage.unpack import FOLDERS, unpack
from protloc.stage.web import Web

COPIED, FETCHED = "copied", "fetched"


class Work:
    """The files of a plan, brought to where they belong."""

    def __init__(
        self,
        study: str,
        plan: Plan,
        sources: Mapping[str, Source],
        lock: Lock,
        copies: Copies,
        web: Web,
        parallel: int,
    ) -> None:
        self._study, self._plan, self._sources = study, plan, sources
        self._lock, self._copies, self._web, self._parallel = lock, copies, web, parallel
        self._licences: dict[str, str] = {}

    def run(self) -> None:
        """Do all of it; raises InputError where a file cannot be had, after the others have been tried."""
        single = [self._single(file_of(self._sources[name], path)) for name, path in self._plan.files.items()]
        bucket, listing = self._plan.bucket, None
        images: list[File] = []
        if bucket is not None:
            listing = listing_of(bucket, self._web, self._copies, self._lock)
            images = files_of(bucket, listing)
        missing = [file for file in (*single, *images) if not file.is_here]
        print(*self._said_first(single, images, missing), sep="\n", flush=True)
        came, faults = self._bring(missing)
        for file in single:
            if file.is_here:
                self._finish(file)
        self._report(faults)
        if bucket is not None and listing is not None:
            self._keep(bucket, listing)
        print(*self._said_last((*single, *images), came), sep="\n")

    def _single(self, file: File) -> File:
        """A listed file with all that has to be known of it before it comes."""
        if file.path.exists() and not file.is_here:
            raise InputError(
                f"{file.path}: is there and is not {file.what}, which has {file.size} bytes; move it away"
            )
        if file.sha256 is not None and (file.is_here or self._copies.have(file)):
            return file
        file, licence = self._lock.look_up(file, self._web)
        if licence:
            self._licences[file.what] = licence
        if file.path.exists() and (fault := file.fault(file.path)):
            raise InputError(f"{file.path}: is there and {fault} of {file.what}; move it away")
        return file

    def _said_first(self, single: list[File], images: list[File], missing: list[File]) -> list[str]:
        """Who is to be thanked, on what terms, how much is to come, and that there is room for it."""
        rows = [
            Row(file.what, 1, file.size, self._licence(row), row.citation)
            for file in single
            for row in [self._sources[file.what]]
        ]
        if (bucket := self._plan.bucket) is not None:
            source, size = bucket.source, sum(file.size or 0 for file in images)
            terms = (source.licence, source.citation) if source else ("?", "")
            rows.insert(0, Row(source.name if source else bucket.mirror, len(images), size, *terms))
        if not missing:
            return [f"{self._study}: everything is here", *table(rows)]
        size = amount(sum(file.size or 0 for file in missing))
        least = "at least " if any(file.size is None for file in missing) else ""
        free = check_space(file for file in missing if not self._copies.links(file))
        count = f"{len(missing):,} of {len(single) + len(images):,} files to come, {least}{size}"
        return [f"{self._study}: {count}{f'; {free}' if free else ''}", *table(rows)]

    def _licence(self, source: Source) -> str:
        said = self._licences.get(source.name)
        return f"{said} ({source.licence})" if said else source.licence

    def _bring(self, missing: list[File]) -> tuple[Counter[str], list[InputError]]:
        """Copy or fetch all of them, several at once; how many came which way, and why others did not."""
        came: Counter[str] = Counter()
        faults: list[InputError] = []
        total = sum(file.size or 0 for file in missing)
        with Meter(total, "B") as meter, ThreadPoolExecutor(self._parallel) as pool:
            waiting = [pool.submit(self._obtain, file, meter) for file in missing]
            try:
                for done in as_completed(waiting):
                    self._take_note(done, came, faults)
            except BaseException:
                self._web.patience.stopped.set()  # those that wait for their turn end at once, too
                raise
        return came, faults

    def _take_note(self, done: Future[str], came: Counter[str], faults: list[InputError]) -> None:
        try:
            came[done.result()] += 1
        except Stopped:
            pass
        except InputError as fault:
            faults.append(fault)
            if isinstance(fault, GivenUp):
                self._web.patience.stopped.set()

    def _obtain(self, file: File, meter: Meter) -> str:
        """Bring one file; the way it came."""
        self._web.patience.check()
        try:
            if self._copies.take(file):
                meter.add(file.path.stat().st_size)
                return COPIED
            transfer(file, self._web, meter.add)
        except OSError as error:
            raise unwritable(file.path.parent, error) from error
        return FETCHED

    def _keep(self, bucket: Bucket, listing: Listing) -> None:
        """Keep the listing with digests of images whose ETag is none, and pin it."""
        images = [
            image._replace(sha256=digest_of(bucket.raw / image.key, "sha256"))
            if image.is_projection and image.md5 is None and image.sha256 is None
            else image
            for image in listing.images
        ]
        write_listing(bucket.listing, replace(listing, images=tuple(images)))
        if bucket.source is not None:
            self._lock.pin_listing(bucket.source.name, bucket.address, listing)

    def _finish(self, file: File) -> None:
        """Pin a file that has come, if nothing told its digest before, and unpack it if it is an archive."""
        self._lock.pin(file, file.path.stat().st_size, file.sha256 or digest_of(file.path, "sha256"))
        if file.source in FOLDERS:
            unpack(file.path, file.path.with_name(FOLDERS[file.source]))

    def _report(self, faults: list[InputError]) -> None:
        """Say what had to be tried again, and raise InputError for what did not come in the end."""
        if retried := self._web.patience.retried:
            print(f"Tried again {retried.total()} times: {counted(retried)}")
        if any(isinstance(fault, Changed) for fault in faults) and self._plan.bucket is not None:
            self._plan.bucket.listing.unlink(missing_ok=True)  # the next run lists anew
        if faults:
            first = next((fault for fault in faults if isinstance(fault, GivenUp)), faults[0])
            others = f" (so with {len(faults) - 1} more)" if len(faults) > 1 else ""
            raise InputError(f"{first}{others}")

    def _said_last(self, files: tuple[File, ...], came: Counter[str]) -> list[str]:
        known = counted(Counter(file.known_by for file in files))
        ways = ", ".join(f"{count:,} {way}" for way, count in sorted(came.items()))
        ways = ways or "nothing was transferred"
        lines = [f"{len(files):,} files are here ({ways}), told by: {known}"]
        for pin in self._lock.added.values():
            reserve = "" if pin.trust == "publisher" else ", trusted on first use, as no digest is published"
            lines.append(f"Pinned in {self._lock.path}: {pin.name}{reserve}")
        return lines
