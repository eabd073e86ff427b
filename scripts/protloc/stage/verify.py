"""`protloc stage --verify`: every file read again, without a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from protloc.progress import Meter, amount
from protloc.stage.files import File
from protloc.stage.text import counted

ASIDE = ".wrong"


def verify(files: Sequence[File], parallel: int) -> int:
    """Print what is missing or wrong; 1 if anything is, else 0.

    A wrong image loses its name, so that nothing takes it for the right one and the next run fetches it.
    """
    here = [file for file in files if file.path.is_file()]
    faults = {file.path: "is missing" for file in files if not file.path.is_file()}
    size = sum(file.path.stat().st_size for file in here)
    with ThreadPoolExecutor(parallel) as pool, Meter(size, "B") as meter:
        for file, fault in zip(here, pool.map(lambda one: one.fault(one.path), here), strict=True):
            meter.add(file.path.stat().st_size)
            if fault is not None:
                faults[file.path] = f"{fault}; {_aside(file)}"
    for path, fault in sorted(faults.items()):
        print(f"{path}: {fault}")
    right = Counter(file.known_by for file in here if file.path not in faults)
    print(f"{right.total():,} of {len(files):,} files are right ({amount(size)} read): {counted(right)}")
    if right["length"]:
        print("Those known by their length alone have no digest in the sources or their lock.")
    if faults:
        print("protloc stage without --verify fetches what is missing.")
    return int(bool(faults))


def _aside(file: File) -> str:
    if file.source is not None:  # what lies there may be the user's own
        return "move it away"
    aside = file.path.with_name(f"{file.path.name}{ASIDE}")
    file.path.replace(aside)
    return f"it is now {aside.name}"
