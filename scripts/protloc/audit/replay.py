"""The step that made a result, run again in a scratch folder from its record, and what came out."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from protloc.audit.digests import Digests
from protloc.audit.judge import Audit
from protloc.audit.study import Record, Study, study_of
from protloc.audit.text import printable
from protloc.audit.verdicts import BROKEN
from protloc.audit.why import script_of
from protloc.errors import InputError
from protloc.facts import HOW, PROJECT, record_path
from protloc.hashing import sha256_path
from protloc.modules import SCRIPTS, module_hashes

RUNNER = Path(__file__).with_name("rerun.py")


def replay(file: Path, tolerance: float = 0.0) -> tuple[list[str], bool]:
    """Lines on what running a result's step again gave, and whether all its outputs are the same.

    The same are equal bytes; with a `tolerance` also tables whose numbers differ by no more than that.
    Raises InputError if the step cannot be run here: an input or the project's script is missing or changed.
    """
    study = study_of(file)
    digests = Digests(study.root)
    audit = Audit(study, digests)
    node = audit.of(file.absolute())
    if node.record is None:
        raise InputError(f"{file}: has no record: nothing tells what made it")
    script = script_of(node.record)
    if script is None:
        raise InputError(f"{file}: its rule's script is not in this project; use the commit of its record")
    places = dict(_places(node.record, study, audit))
    digests.keep()
    lines = [f"running {node.record.facts['rule']} again ({script})"]
    if module_hashes(script) != node.record.facts["code"]:
        lines.append("its code has changed since: the stamp inside the result cannot be the same")
    with tempfile.TemporaryDirectory() as scratch:
        _run(node.record, script, places, Path(scratch))
        compared = [
            _compare(Path(scratch, name), study.records[name], tolerance)
            for name in node.record.facts["outputs"].values()
            if name in study.records
        ]
    return lines + [line for line, _ in compared], all(same for _, same in compared)


def _places(record: Record, study: Study, audit: Audit) -> Iterator[tuple[str, Path]]:
    """Where each input, and each folder that the step reads beside, lies now, by name."""
    for fact in record.facts["inputs"]:
        child = audit.node(fact["path"])
        if child.file is None or child.verdict in BROKEN:
            raise InputError(f"{fact['path']}: is {child.verdict}, so the step cannot be run as it was")
        yield fact["path"], child.file
    raw = record.run.get(HOW, {}).get("raw")
    if raw is not None:
        folder = study.located(raw)
        if folder is None:
            raise InputError(f"{raw}: is not here, and the step reads it")
        yield raw, folder


def _run(record: Record, script: str, places: dict[str, Path], scratch: Path) -> None:
    """Run a script in `scratch`, where links of the old names lead to the inputs and their records."""
    for name, place in places.items():
        if name.startswith(f"{PROJECT}/"):
            continue
        link = scratch / name
        if PurePosixPath(name).is_absolute() or not link.resolve().is_relative_to(scratch.resolve()):
            raise InputError(f"{printable(name)}: leads out of the working folder; the step is not run")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(place.resolve())
        if record_path(place).is_file():
            record_path(link).symlink_to(record_path(place).resolve())
    job = scratch / "job.json"
    job.write_text(json.dumps({"facts": record.facts, "run": record.run, "project": str(SCRIPTS.parent)}))
    done = subprocess.run(
        [sys.executable, RUNNER, SCRIPTS / script, job], cwd=scratch, capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"{record.output}: its step failed when it was run again: {printable(last)}")


def _compare(made: Path, record: Record, tolerance: float) -> tuple[str, bool]:
    """A line on one output, and whether it is the same."""
    name = printable(record.output)
    if not made.exists():
        return f"{name}: was not made", False
    if sha256_path(made) == record.content["sha256"]:
        return f"{name}: the same bytes", True
    if record.file.suffix == ".parquet":
        return _compare_tables(made, record, tolerance)
    return f"{name}: other bytes", False


def _compare_tables(made: Path, record: Record, tolerance: float) -> tuple[str, bool]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = printable(record.output)
    new, old = (pq.read_table(path).replace_schema_metadata(None) for path in (made, record.file))
    if new.schema != old.schema or len(new) != len(old):
        return f"{name}: another table", False
    if new.equals(old):
        return f"{name}: the same values, another stamp", True
    worst = 0.0
    for column in new.column_names:
        one, other = (_values(table.column(column).combine_chunks()) for table in (new, old))
        if one.equals(other):
            continue
        if not pa.types.is_floating(one.type) or len(one) != len(other):
            return f"{name}: other values in {column}", False
        difference = one.to_numpy(zero_copy_only=False) - other.to_numpy(zero_copy_only=False)
        worst = max(worst, float(np.abs(difference).max()))
    return f"{name}: numbers differ by up to {worst:.2g}", worst <= tolerance


def _values(array: Any) -> Any:
    """The values of a column, those of lists one after another."""
    return _values(array.flatten()) if hasattr(array, "flatten") and array.type.num_fields else array
