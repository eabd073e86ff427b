"""One writer per result, on one machine and on a cluster."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from protloc.claims import read, release, take, this_process, whose
from protloc.errors import InputError

WAIT_S = 300.0  # for a writer that is being ended, or about to finish; a GPU is not to wait for hours
LOOK_S = 1.0


def lock_path(result: Path) -> Path:
    """Where it says who is writing a result."""
    return result.with_name(f".{result.name}.lock")


@contextmanager
def only_writer(results: Iterable[Path], wait_s: float = WAIT_S) -> Iterator[Callable[[], None]]:
    """Within the block no other process makes these results; InputError if another does for `wait_s`.

    Yields what is to be called before they are put in place: it raises InputError if meanwhile this process
    was taken for dead, as on a node that its cluster lost, and another one took over.
    """
    mine, locks = this_process(), sorted(lock_path(result) for result in results)

    def check() -> None:
        for lock in locks:
            if read(lock) != mine:
                raise InputError(f"{lock}: another process has taken over; this one writes nothing")

    try:
        for lock in locks:
            _wait_for(lock, mine, wait_s)
        yield check
    finally:
        for lock in locks:
            release(lock, mine)


def _wait_for(lock: Path, mine: dict, wait_s: float) -> None:
    """Return once the lock is this process's."""
    until, told = time.monotonic() + wait_s, None
    while (other := take(lock, mine)) is not None:
        if other != told:
            logging.warning("%s: waiting for %s, which writes this result", lock, whose(other))
            told = other
        if time.monotonic() > until:
            raise InputError(f"{lock}: {whose(other)} still writes this result; run again when it is over")
        time.sleep(LOOK_S)
