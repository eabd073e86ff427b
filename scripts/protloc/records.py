"""The one way a step writes its results: whole files, each with a record of how it came to be.

The record of `X` lies beside it as `X.record.json`: its digest, the facts that determine it (`facts.py`),
stamped into the file too where it has room, and the circumstances of the run (`circumstances.py`). Its
`chain` commits to the content and the facts, and so to everything below; its `seal` to the whole record.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protloc.atomic import partial_name, remove, sweep, write_text
from protloc.circumstances import Clock, place
from protloc.errors import InputError
from protloc.facts import HOW, chain_of, facts_of, record_path, shown
from protloc.hashing import sha256_path, sha256_value, size_bytes
from protloc.locks import only_writer
from protloc.signals import ends_on_sigterm
from protloc.stamp import stamp

FORMAT = 1
DIGEST_LENGTH = 10  # hexadecimal: a trillion, enough to tell the results of a lab apart


class Outputs(dict[str, Path]):
    """Where to write each named output for now.

    `run` takes measured facts that vary, such as images/s. `digest` is short and stands for all that
    determines the outputs: figures print it.
    """

    def __init__(self, paths: dict[str, Path], facts: dict[str, Any]) -> None:
        super().__init__(paths)
        self.run: dict[str, Any] = {}
        self.digest = sha256_value(facts)[:DIGEST_LENGTH]


@contextmanager
def recorded(snakemake: Any) -> Iterator[Outputs]:
    """Yield a temporary path for each named output; put them and their records in place when the block ends.

    Whatever is logged goes to the rule's log, warnings to the terminal too. An InputError ends the process
    with its one line and status 1, SIGTERM with status 143; nothing half-written keeps a result's name.
    """
    clock, log = Clock(), Path(snakemake.log[0])
    log_to(log)
    logging.info(place())
    results = {name: Path(path) for name, path in snakemake.output.items()}
    temporary = {name: partial_name(path) for name, path in results.items()}
    for path in results.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
    try:
        with ends_on_sigterm(), only_writer(results.values()) as check_alone:
            before, facts = _states(snakemake.input), facts_of(snakemake)
            outputs = Outputs(temporary, facts)
            yield outputs
            _check_unchanged(before, _states(snakemake.input))
            how = {"threads": snakemake.threads, **dict(snakemake.params.get(HOW, {}))}
            run = {**clock.circumstances(facts["code"]), HOW: how, "log": shown(str(log)), **outputs.run}
            for name in run.get("undeclared", ()):
                logging.warning("%s was imported, and the rule's code does not name it", name)
            check_alone()
            for name, path in results.items():
                _put_in_place(outputs[name], path, facts, run)
    except InputError as error:
        logging.error("%s", error)
        sys.exit(1)
    finally:
        for path in temporary.values():
            remove(path)


def log_to(path: Path) -> None:
    """Send log lines to a file, and warnings and errors to standard error too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    handlers = [logging.FileHandler(path, mode="w"), terminal]
    logging.basicConfig(
        level=logging.INFO, format="%(levelname)s: %(message)s", handlers=handlers, force=True
    )


def _states(paths: Sequence[str]) -> dict[str, tuple[int, int]]:
    """What tells cheaply whether a file was written to: its size in bytes and its time in ns."""
    return {path: (stat.st_size, stat.st_mtime_ns) for path in map(str, paths) if (stat := Path(path).stat())}


def _check_unchanged(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> None:
    """Raise InputError if an input is not what it was when its digest was taken."""
    for path, state in before.items():
        if after[path] != state:
            raise InputError(f"{path}: changed while it was read; run again")


def _put_in_place(temporary: Path, path: Path, facts: dict, run: dict) -> None:
    """Stamp and rename a finished output, and only then write the record that vouches for it."""
    stamp(temporary, facts)
    digest = sha256_path(temporary)
    record = {"format": FORMAT, "output": shown(str(path)), "sha256": digest}
    record |= {"bytes": size_bytes(temporary), "chain": chain_of(digest, facts), "facts": facts, "run": run}
    retire(path)
    if path.is_dir():  # Snakemake makes the folder of a directory() output; a folder replaces only no folder
        remove(path)
    temporary.replace(path)
    sealed = record | {"seal": sha256_value(record)}
    write_text(record_path(path), json.dumps(sealed, indent=1) + "\n")


def retire(path: Path) -> None:
    """Move the record of a result that is about to be replaced into the history beside it."""
    record = record_path(path)
    if record.exists():
        history = history_path(path)
        earlier = history.read_text() if history.exists() else ""
        line = _on_one_line(record.read_text(errors="replace"))
        write_text(history, f"{earlier}{line}\n")
        record.unlink()


def _on_one_line(text: str) -> str:
    """A record for the history; one that somebody has made unreadable is kept as it is."""
    try:
        content = json.loads(text)
    except ValueError:
        content = {"unreadable": text}
    return json.dumps(content, separators=(",", ":"))


def history_path(result: Path) -> Path:
    """Where the earlier records of a result lie, the oldest first, a line each."""
    return result.with_name(f".{result.name}.history.jsonl")
