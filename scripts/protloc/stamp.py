"""What made a file, written into the file itself where its format has room: Parquet, PNG and SVG.

A stamp holds nothing that varies from run to run, so equal content made in the same way has equal bytes.
"""

from __future__ import annotations

import html
import json
import re
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any

KEY = "protloc"
PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
SVG_STAMP = re.compile(rf'<metadata id="{KEY}">(.*?)</metadata>', re.DOTALL)


def stamp(path: Path, facts: dict[str, Any]) -> None:
    """Write `facts` into a file that has none yet; other kinds of file are left as they are."""
    if path.suffix in WRITERS:
        WRITERS[path.suffix](path, json.dumps(facts, sort_keys=True, separators=(",", ":")))


def read_stamp(path: Path) -> dict[str, Any] | None:
    """The facts in a file, or None where there are none. Raises ValueError if they cannot be read."""
    text = READERS[path.suffix](path) if path.suffix in READERS else None
    return None if text is None else json.loads(text)


def _to_parquet(path: Path, text: str) -> None:
    """Replace the footer, which lies at the end, by one with one more entry; the data stay where they are."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        footer, schema = file.metadata, file.schema_arrow
    new = schema.with_metadata({**(schema.metadata or {}), KEY.encode(): text.encode()})
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder, "footer.parquet")
        pq.write_metadata(new, alone, metadata_collector=[footer])
        content = alone.read_bytes()[4:]  # after the magic number that opens every file
    with path.open("r+b") as stream:
        stream.seek(-8, 2)
        (length,) = struct.unpack("<I", stream.read(4))
        stream.seek(-8 - length, 2)
        stream.write(content)
        stream.truncate()


def _from_parquet(path: Path) -> str | None:
    import pyarrow.parquet as pq

    text = (pq.read_schema(path).metadata or {}).get(KEY.encode())
    return text and text.decode()


def _to_png(path: Path, text: str) -> None:
    """Put an iTXt chunk before the last one (PNG specification 11.3.3.4)."""
    chunk = b"iTXt" + KEY.encode() + b"\x00\x00\x00\x00\x00" + text.encode()
    with path.open("r+b") as stream:
        stream.seek(-len(PNG_END), 2)
        if stream.read() != PNG_END:
            raise ValueError(f"{path}: not a whole PNG")
        stream.seek(-len(PNG_END), 2)
        stream.write(struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)))
        stream.write(PNG_END)


def _from_png(path: Path) -> str | None:
    """The text of our chunk, found without decoding the picture."""
    opening = b"iTXt" + KEY.encode() + b"\x00\x00\x00\x00\x00"
    with path.open("rb") as stream:
        stream.seek(8)  # the signature
        while head := stream.read(8):
            length, kind = struct.unpack(">I4s", head)
            if kind == b"iTXt" and (kind + (content := stream.read(length))).startswith(opening):
                return content[len(opening) - 4 :].decode()
            stream.seek(4 if kind == b"iTXt" else length + 4, 1)
    return None


def _to_svg(path: Path, text: str) -> None:
    head, end, tail = path.read_text(encoding="utf-8").rpartition("</svg>")
    entry = f'<metadata id="{KEY}">{html.escape(text, quote=False)}</metadata>\n'
    path.write_text(head + entry + end + tail, encoding="utf-8")


def _from_svg(path: Path) -> str | None:
    found = SVG_STAMP.search(path.read_text(encoding="utf-8"))
    return found and html.unescape(found[1])


WRITERS = {".parquet": _to_parquet, ".png": _to_png, ".svg": _to_svg}
READERS = {".parquet": _from_parquet, ".png": _from_png, ".svg": _from_svg}
