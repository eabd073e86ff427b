"""The outside world on this machine: a bucket of simulated fields, Zenodo, servers of weights; their faults.

    python tests/server.py --fields 6301 --sources /tmp/outside.csv

serves until it is interrupted, and writes a table of sources whose addresses are its own. Fields are drawn
when they are asked for, always the same, and take no disk:

    protloc stage --configfile config/paper.yaml --sources /tmp/outside.csv
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import itertools
import json
import random
import signal
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import numpy as np
import tifffile

ROOT = Path(__file__).resolve().parents[1]
BUCKET = "czb-opencell.s3.amazonaws.com"
CLASSES = (
    "cytoplasmic", "nucleoplasm", "vesicles", "membrane", "nuclear_punctae", "er", "chromatin", "golgi",
    "nucleolus_gc", "centrosome", "big_aggregates", "cell_contact", "cytoskeleton", "nuclear_membrane",
    "nucleolus_fc_dfc", "mitochondria", "focal_adhesions",
)  # fmt: skip
OPENCELL = 6301, 1310  # fields, proteins
PIECE = 1 << 14


class Fields:
    """Simulated fields below the bucket's keys: of `count`, each protein has four to six."""

    def __init__(self, count: int, side: int = 64, stacks: bool = True) -> None:
        self.count, self.side, self.stacks = count, side, stacks
        self.proteins = max(1, round(count * OPENCELL[1] / OPENCELL[0]))

    @cached_property
    def keys(self) -> list[str]:
        """All keys in the order of the bucket, those of z-stacks included."""
        kinds = ("proj", "stack") if self.stacks else ("proj",)
        return sorted(self._key(index, kind) for index in range(self.count) for kind in kinds)

    def labels(self) -> bytes:
        """The label table: a class for each protein, every third has two."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        grades = (f"annotations_grade_{grade}" for grade in (3, 2, 1))
        writer.writerow(["target_name", "ensg_id", *grades])
        for protein in range(self.proteins):
            first, second = (CLASSES[(protein + shift) % len(CLASSES)] for shift in (0, 5))
            label = f"{first};{second}" if protein % 3 == 2 else first
            writer.writerow([*self._name(protein), label, "", ""])
        return text.getvalue().encode()

    def content(self, key: str) -> bytes:
        """The file of a projection: an ImageJ TIFF, two channels of uint16, drawn from its number."""
        index = int(key.rsplit("_FID", 1)[1][:8]) - 1
        text = io.BytesIO()
        pixels = self._pixels(index)
        tifffile.imwrite(text, pixels, imagej=True, metadata={"axes": "CYX"})
        return text.getvalue()

    @cache  # noqa: B019
    def md5(self, key: str) -> str:
        return hashlib.md5(self.content(key), usedforsecurity=False).hexdigest()

    @cached_property
    def size(self) -> int:
        """Length of each projection, bytes."""
        return len(self.content(self.keys[0]))

    def _name(self, protein: int) -> tuple[str, str]:
        return f"SIM{protein:04d}", f"ENSG{protein + 1:011d}"

    def _key(self, index: int, kind: str) -> str:
        gene, ensg = self._name(index % self.proteins)
        name = f"OC-FOV_{gene}_{ensg}_CID{index % self.proteins + 1:06d}_FID{index + 1:08d}_{kind}.tif"
        return f"microscopy/raw/{gene}_{ensg}/{name}"

    def _pixels(self, index: int) -> np.ndarray:
        """Round nuclei on a grid; the protein in, around or outside of them, striped as its class is."""
        rng, kind = np.random.default_rng(index), index % self.proteins % len(CLASSES)
        radius = min(34.0, 0.3 * self.side)
        y, x = np.mgrid[: self.side, : self.side] + rng.uniform(0, 2.5 * radius, (2, 1, 1))
        far = np.hypot(*((axis % (2.5 * radius)) - 1.25 * radius for axis in (y, x))) / radius
        nucleus = 1 / (1 + np.exp(12 * (far - 1)))
        place = (nucleus, 1 - nucleus, np.exp(-(((far - 1) / 0.15) ** 2)))[kind % 3]
        stripes = 1 + np.sin(2 * np.pi * (1 + kind // 3) * (x + y) / (2 * radius))
        clean = np.stack([2000 * nucleus, 1200 * place * stripes]) + 350
        return (clean + rng.normal(0, 25, clean.shape)).clip(0, 65535).astype(np.uint16)


@dataclass
class Fault:
    """What goes wrong with paths that contain `part`, `times` times, after `after` answers went well.

    kinds: a status; `drop`: cut off after half; `silent`: nothing more after half; `slow`: drips after half;
    `short`, `long`: a wrong Content-Length; `other`: another content than the listing says; `flip`: a wrong
    byte; `page`: as if it were a web page; `lose`: a page of the listing is passed over; `unsaid`: the next
    is not named.
    """

    part: str
    kind: str | int
    times: int | None = 1
    retry_after: str | None = None
    after: int = 0
    method: str = "GET"
    seen: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether it is this answer's turn."""
        if self.part not in path or method != self.method:
            return False
        self.seen += 1
        return self.after < self.seen and (self.times is None or self.seen <= self.after + self.times)


@dataclass
class Answer:
    """A line of the log: what was asked, and what went out."""

    method: str
    path: str
    range: str | None
    status: int = 0
    sent: int = 0
    at: float = field(default_factory=time.monotonic)


class Outside:
    """The server: `log` is what was asked of it; `faults` can be added at any time; `rate` is bytes/s."""

    def __init__(
        self,
        fields: Fields,
        weights: Path | None = None,
        port: int = 0,
        certificate: Path | None = None,
        page: int = 1000,
        length: int = 200_000,
        rate: float | None = None,
        fault_share: float = 0.0,
    ) -> None:
        self.fields, self.page, self.rate, self.fault_share = fields, page, rate, fault_share
        self.log: list[Answer] = []
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        self.changed: set[str] = set()  # paths whose content is another since
        self.files: dict[str, bytes | Path] = {}
        self.rows = list(csv.DictReader((ROOT / "config/sources.csv").open(encoding="utf-8")))
        for row in self.rows:
            self._serve(row, weights, length)
        self.http = _Http(("127.0.0.1", port), type("Handler", (_Handler,), {"outside": self}))
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.address = f"http{'s' if certificate else ''}://127.0.0.1:{self.http.server_port}"

    def start(self) -> None:
        """Serve from a thread of its own."""
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def write_sources(self, path: Path, **changes: dict[str, str]) -> Path:
        """The project's table of sources with this server's addresses; `changes` by row and column."""
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(self.rows[0]), lineterminator="\n")
            writer.writeheader()
            for row in self.rows:
                url = row["url"].replace("https:/", self.address, 1)
                writer.writerow(row | {"url": url} | changes.get(row["name"], {}))
        return path

    def asked(self, part: str = "", method: str = "GET") -> list[Answer]:
        """The answers to requests for paths that contain `part`."""
        with self.lock:
            return [one for one in self.log if part in one.path and one.method == method]

    def content(self, path: str) -> bytes | None:
        """What is at a path, or None."""
        if path.startswith(f"/{BUCKET}/") or path.startswith("/czb-opencell/"):
            key = path.split("/", 2)[2]
            known = key in self._keys and key.endswith("_proj.tif")
            content = self.fields.content(key) if known else None
        else:
            content = self.files.get(path)
            content = content.read_bytes() if isinstance(content, Path) else content
        if content is not None and path in self.changed:
            content = content[:-1] + bytes([content[-1] ^ 1])
        return content

    def path_of(self, name: str) -> str:
        """The path of a row of the sources."""
        url = next(row["url"] for row in self.rows if row["name"] == name)
        return url.removeprefix("https:/")

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault that befalls an answer; some by chance, each path being spared after two."""
        with self.lock:
            struck = [fault for fault in self.faults if fault.strikes(method, path)]
            if struck:
                return struck[0]
            earlier = sum(one.path == path for one in self.log)
        chance = random.Random(f"{path} {earlier}")
        if earlier > 2 or chance.random() >= self.fault_share:
            return None
        kind = chance.choice(["drop", 503, 429, 500, "flip", "short"])
        return Fault(path, kind, retry_after="1" if kind == 429 else None)

    @cached_property
    def _keys(self) -> set[str]:
        return set(self.fields.keys)

    def _serve(self, row: dict[str, str], weights: Path | None, length: int) -> None:
        path = row["url"].removeprefix("https:/")
        if path.endswith("/"):
            return
        if row["name"] == "opencell_labels":
            content: bytes | Path = self.fields.labels()
            row |= {"size": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
        elif weights and (weights / Path(path).name).is_file():
            content = weights / Path(path).name
            row |= {"sha256": ""}
        else:
            content = random.Random(row["name"]).randbytes(length)
            row |= {"sha256": ""}
        self.files[path] = content


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """The other side has gone: tests kill it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    outside: Outside

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, method: str) -> None:
        parts = urlsplit(self.path.removeprefix(self.outside.address))  # a proxy is asked for whole addresses
        path, query = unquote(parts.path), {name: one[0] for name, one in parse_qs(parts.query).items()}
        self.entry = Answer(method, path, self.headers.get("Range"))
        fault = self.outside.strike(method, path)
        with self.outside.lock:
            self.outside.log.append(self.entry)
        if fault and isinstance(fault.kind, int):
            asks = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            self._send(fault.kind, b"later", asks)
        elif "list-type" in query:
            self._list(query, fault)
        elif "/api/records/" in path:
            self._record(path, fault)
        elif path.startswith("/github.com/") or path.startswith("/huggingface.co/"):
            self._send(302, b"", {"Location": f"{self.outside.address}/moved{quote(path)}"})
        else:
            self._file(path, fault)

    def _list(self, query: dict[str, str], fault: Fault | None) -> None:
        keys = [key for key in self.outside.fields.keys if key.startswith(query.get("prefix", ""))]
        after = query.get("continuation-token", "").removeprefix("after:")
        left = list(itertools.dropwhile(lambda key: key <= after, keys)) if after else keys
        length = min(self.outside.page, int(query.get("max-keys", 1000)))
        if fault and fault.kind == "lose":
            left = left[length:]
        page, more = left[:length], len(left) > length
        if fault and fault.kind == "unsaid":
            more = False
        entries = "".join(map(self._entry, page))
        token = f"<NextContinuationToken>after:{escape(page[-1])}</NextContinuationToken>" if more else ""
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>czb-opencell</Name>'
            f"<Prefix>{query.get('prefix', '')}</Prefix><KeyCount>{len(page)}</KeyCount>"
            f"<MaxKeys>{length}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}"
            "</ListBucketResult>"
        )
        self._send(200, text.encode(), {"Content-Type": "application/xml"}, fault)

    def _entry(self, key: str) -> str:
        fields = self.outside.fields
        stack = key.endswith("_stack.tif")
        md5 = "0" * 32 + "-20" if stack else fields.md5(key)
        size = 160_000_000 if stack else fields.size
        return (
            f"<Contents><Key>{escape(key)}</Key><LastModified>2022-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{md5}&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )

    def _record(self, path: str, fault: Fault | None) -> None:
        host, record = path.split("/api/records/")
        files = []
        for name in self.outside.files:
            if name.startswith(f"{host}/records/{record}/files/"):
                content = self.outside.content(name) or b""
                digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
                if fault and fault.kind == "other":
                    digest = digest[::-1]
                key = name.rsplit("/", 1)[1]
                files.append({"key": key, "size": len(content), "checksum": f"md5:{digest}"})
        text = json.dumps({"id": record, "metadata": {"license": {"id": "cc-by-4.0"}}, "files": files})
        self._send(200, text.encode(), {"Content-Type": "application/json"}, fault)

    def _file(self, path: str, fault: Fault | None) -> None:
        content = self.outside.content(path.removeprefix("/moved"))
        if content is None:
            self._send(404, b"no such file")
            return
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        if "amazonaws" in path or "fbaipublicfiles" in path or path.startswith("/czb-opencell/"):
            headers |= {"x-amz-request-id": "1", "Last-Modified": "Sat, 01 Jan 2022 00:00:00 GMT"}
        else:
            # As long as an MD5, and none.
            headers["ETag"] = f'"{hashlib.sha1(content).hexdigest()[:32]}"'
        if fault and fault.kind == "flip":
            content = bytes([content[0] ^ 1]) + content[1:]
        if fault and fault.kind == "page":
            headers["Content-Type"] = "text/html; charset=utf-8"
        if fault and fault.kind == "long":
            content += b"more"
        wanted, status, start = self.headers.get("Range"), 200, 0
        if wanted:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            if start >= len(content):
                self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(status, content[start:], headers, fault)

    def _send(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, fault: Fault | None = None
    ) -> None:
        kind = fault.kind if fault else None
        self.entry.status = status
        length = len(body) - (7 if kind == "short" and len(body) > 7 else 0)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        half = length // 2
        try:
            for piece in self._pieces(body[:half] if kind in ("drop", "silent", "slow") else body[:length]):
                self.wfile.write(piece)
                self.entry.sent += len(piece)
            if kind == "silent":
                time.sleep(5)
            if kind == "slow":
                for at in range(half, half + 100):
                    self.wfile.write(body[at : at + 1])
                    time.sleep(0.05)
            if kind in ("drop", "silent", "slow"):
                self.close_connection = True
        except OSError:  # the other side has gone
            self.close_connection = True

    def _pieces(self, body: bytes) -> Iterator[bytes]:
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            yield piece
            if self.outside.rate:
                time.sleep(len(piece) / self.outside.rate)


def write_networks(names: list[str], folder: Path) -> None:
    """Weights of random networks under the file names of published ones, which a study can compute with."""
    sys.path.insert(0, str(ROOT / "tests/unit"))
    from checkpoints import like_published
    from protloc.config.load import load_backbones
    from protloc.config.sources import read_sources

    registry, sources = load_backbones(ROOT / "config/backbones.yaml"), read_sources()
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / sources[registry[name].weights].file_name
        if not path.exists():
            like_published(name, registry[name], path, depth=12)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fields", type=int, default=OPENCELL[0], help="number of simulated fields (6301)")
    parser.add_argument("--side", type=int, default=64, help="height and width of a field, px (64)")
    parser.add_argument("--port", type=int, default=0, help="left out: one that is free")
    parser.add_argument("--weights", type=Path, help="folder with files to serve under their names")
    parser.add_argument("--networks", nargs="+", default=[], help="backbones to make such weights of")
    parser.add_argument("--sources", type=Path, help="table of sources to write")
    parser.add_argument("--fault-share", type=float, default=0.0, help="share of answers that go wrong (0)")
    parser.add_argument("--log", type=Path, help="JSON lines to write at the end: what was asked")
    options = parser.parse_args()
    if options.networks:
        if options.weights is None:
            parser.error("--networks needs --weights, the folder that their files go to")
        write_networks(options.networks, options.weights)
    fields = Fields(options.fields, options.side)
    outside = Outside(fields, options.weights, options.port, fault_share=options.fault_share)
    if options.sources:
        outside.write_sources(options.sources)
    said = f"{outside.address}/{BUCKET}/ has {options.fields} fields of {fields.proteins} proteins"
    print(said, flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outside.http.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if options.log:
            options.log.write_text("".join(f"{json.dumps(vars(one))}\n" for one in outside.log))


if __name__ == "__main__":
    main()
