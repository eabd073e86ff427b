"""What a step does when it is told to end, as Slurm tells a job whose time is over or that must make room."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STATUS = 128 + signal.SIGTERM
GRACE_S = 6.0  # for threads that are in the midst of something; Slurm's KillWait is 30 s


@contextmanager
def ends_on_sigterm() -> Iterator[None]:
    """Within the block SIGTERM raises SystemExit, so that the process tidies up; status 143.

    A process that is still there after GRACE_S ends at once: a thread may be busy for minutes. Files under
    temporary names are then swept by the next run. Outside of the main thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(_: int, __: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # told once is enough: tidying up is not to be cut off
    logging.error("ended by SIGTERM; run again to go on")
    last = threading.Timer(GRACE_S, os._exit, [STATUS])
    last.daemon = True
    last.start()
    raise SystemExit(STATUS)
