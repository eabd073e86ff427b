"""How an audit comes to its verdicts: each result against its record, and against what it was made from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from protloc.audit.digests import Digests
from protloc.audit.listed import Listing, listing_of, source_of
from protloc.audit.study import Record, Study, read_record
from protloc.audit.verdicts import BROKEN, Node, Verdict
from protloc.facts import record_path
from protloc.hashing import size_bytes
from protloc.stamp import read_stamp


@dataclass
class Audit:
    """An audit in progress: verdicts by name, found as they are asked for."""

    study: Study
    digests: Digests
    nodes: dict[str, Node] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    def all(self, without: Iterable[str] = ()) -> dict[str, Node]:
        """Every result, every input of one, and every file that no record names; `without` some results."""
        left_out = set(without)
        names = [name for name in self.study.records if name not in left_out]
        self.digests.prepare(self._files_of(names))
        for name in names:
            self.node(name)
        claimed = {node.file for node in self.nodes.values()}
        claimed |= {self.study.records[name].file for name in left_out & self.study.records.keys()}
        folders = [file for file in claimed if file and file.is_dir()]
        for file in self.study.files():
            if file not in claimed and not any(file.is_relative_to(folder) for folder in folders):
                self._add_stranger(file)
        for record in self.study.strays:
            self._add_stray(record)
        return self.nodes

    def of(self, file: Path) -> Node:
        """The verdict of one file, found by its content first and its name second."""
        name = self._name_of(file)
        if name is None:
            return self._add_stranger(file)
        self.digests.prepare(self._files_of(self.below(name)))
        return self.node(name)

    def below(self, name: str) -> list[str]:
        """A result and all that it was made from, itself first."""
        found: dict[str, None] = {}
        waiting = [name]
        while waiting:
            if (name := waiting.pop()) not in found:
                found[name] = None
                record = self._record(name)
                waiting += [fact["path"] for fact in record.facts["inputs"]] if record else []
        return list(found)

    def node(self, name: str) -> Node:
        """The verdict of a result or input by its name."""
        if name not in self.nodes:
            if name in self._asked:
                return Node(name, Verdict.MODIFIED, ("its records name it among its own inputs",))
            self._asked.add(name)
            record = self._record(name)
            self.nodes[name] = self._judge(name, record) if record else self._judge_leaf(name)
        return self.nodes[name]

    def _judge(self, name: str, record: Record) -> Node:
        file = record.file if record.file.exists() else self._renamed(record)
        inputs = [fact["path"] for fact in record.facts["inputs"]]
        if listing := listing_of(record, self.study):
            inputs.append(listing.below)
            self.nodes.setdefault(listing.below, self._judge_listing(listing))
        found = {"file": file, "record": record, "inputs": tuple(inputs)}
        if file is None:
            return Node(name, Verdict.MISSING, ("its record is here, the file is not",), **found)
        if faults := tuple(self._faults(file, record)):
            return Node(name, Verdict.MODIFIED, faults, **found)
        reasons = tuple(dict.fromkeys(self._changes_below(record, inputs)))
        if file != record.file:
            found_at = f"found by its content as {file.relative_to(self.study.root)}"
            return Node(name, Verdict.STALE if reasons else Verdict.VERIFIED, (*reasons, found_at), **found)
        return Node(name, Verdict.STALE if reasons else Verdict.VERIFIED, reasons, **found)

    def _faults(self, file: Path, record: Record) -> Iterator[str]:
        """What is wrong with a result by itself."""
        if leads_out(file, self.study.root):
            yield "it is a link that leads out of the folder"
        elif record.fault:
            yield record.fault
        elif self.digests[file] != record.content["sha256"]:
            yield "its content is not what its record says"
        else:
            try:
                inside = read_stamp(file) if file.is_file() else None
            except (OSError, ValueError):
                inside = None
            if inside is not None and inside != record.facts:
                yield "its record is not the one that was written into it"

    def _changes_below(self, record: Record, inputs: list[str]) -> Iterator[str]:
        """What is wrong with the inputs of a result, seen from it."""
        for fact in record.facts["inputs"]:
            child = self.node(fact["path"])
            if child.verdict in BROKEN:
                yield f"rests on {child.name}, which is {child.verdict}"
            elif child.record and fact.get("chain") != child.record.chain:
                yield f"was made from another {child.name} than is here now"
            elif not child.record and child.file and self.digests[child.file] != fact["sha256"]:
                self.nodes[child.name] = Node(
                    child.name, Verdict.MODIFIED, ("is not what it was when it was used",), child.file
                )
                yield f"rests on {child.name}, which is {Verdict.MODIFIED}"
        for name in inputs[len(record.facts["inputs"]) :]:
            if self.nodes[name].verdict in BROKEN:
                yield f"rests on {name}, which is {self.nodes[name].verdict}"

    def _judge_leaf(self, name: str) -> Node:
        """An input without a record: listed among the sources, or a stranger; gone, or never here."""
        file = self.study.located(name)
        if file is None:
            top = self.study.workdir and self.study.workdir / name.partition("/")[0]
            gone = top is not None and os.path.isdir(top)  # noqa: PTH112 (bears names that no file can have)
            return Node(name, Verdict.MISSING if gone else Verdict.UNCHECKED, MISSED[gone])
        source = source_of(name, self.digests[file], self.study)
        if source is None:
            reason = "no rule makes it, neither config/sources.csv nor the configuration lists it"
            return Node(name, Verdict.ORPHAN, (reason,), file)
        return Node(name, Verdict.VERIFIED, (source,), file)

    def _judge_listing(self, listing: Listing) -> Node:
        """A folder whose files a table lists with their digests."""
        if listing.folder is None:
            return Node(listing.below, Verdict.UNCHECKED, MISSED[False])
        files = listing.files()
        self.digests.prepare(file for _, file, _ in files if file)
        missing = [name for name, file, _ in files if file is None]
        changed = [name for name, file, digest in files if file and self.digests[file] != digest]
        reasons = [
            f"{len(names)} of {len(files)} files {what}, the first {names[0]}"
            for names, what in ((changed, "are not what they were"), (missing, "are gone"))
            if names
        ]
        verdict = Verdict.MODIFIED if changed else Verdict.MISSING if missing else Verdict.VERIFIED
        said = reasons or [f"{len(files)} files, as {listing.table} lists them"]
        return Node(listing.below, verdict, tuple(said), listing.folder)

    def _record(self, name: str) -> Record | None:
        """The record of a result, or of an input outside the study's folder that has one."""
        if name in self.study.records:
            return self.study.records[name]
        file = self.study.located(name)
        if file is None or not record_path(file).is_file():
            return None
        return read_record(record_path(file))

    def _renamed(self, record: Record) -> Path | None:
        """Where a result that is gone from its place lies under another name, known by its content."""
        size, wanted = record.content.get("bytes"), record.content["sha256"]
        known = {each.file for each in self.study.records.values()}
        same_size = (file for file in self.study.files() if file not in known and _is_plain(file, size))
        return next((file for file in same_size if self.digests[file] == wanted), None)

    def _name_of(self, file: Path) -> str | None:
        own = [name for name, record in self.study.records.items() if record.file == file]
        if own and (not file.exists() or not _is_plain(file, None)):
            return own[0]
        digest = self.digests[file]
        same = [name for name, each in self.study.records.items() if each.content["sha256"] == digest]
        return next((name for name in (*own, *same) if name in same), own[0] if own else None)

    def _add_stranger(self, file: Path) -> Node:
        name = self._inner(file)
        link = leads_out(file, self.study.root)
        reason = "a link that leads out of the folder" if link else "no record names it"
        self.nodes[name] = Node(name, Verdict.UNRECORDED, (reason,), file)
        return self.nodes[name]

    def _add_stray(self, record: Record) -> None:
        """A record that speaks of a result of another name than it lies beside."""
        name = self._inner(record.path)
        self.nodes[name] = Node(
            name, Verdict.ORPHAN, (f"a record of {record.output}, which it is not beside",)
        )

    def _inner(self, file: Path) -> str:
        return f"{self.study.name}/{file.relative_to(self.study.root).as_posix()}"

    def _files_of(self, names: Iterable[str]) -> list[Path]:
        """The files behind names, where they are there."""
        places = [self.study.located(name) for name in names]
        return [place for place in places if place is not None and place.is_file() and not place.is_symlink()]


MISSED = {
    True: ("it is gone from where it was",),
    False: ("it lies outside the results, and is not on this machine",),
}


def leads_out(file: Path, folder: Path) -> bool:
    """Whether a file is a link to what does not lie in the folder."""
    return file.is_symlink() and not file.resolve().is_relative_to(folder.resolve())


def _is_plain(file: Path, size: int | None) -> bool:
    """Whether a file is no link, and as long as that."""
    return file.is_file() and not file.is_symlink() and (size is None or size_bytes(file) == size)
