"""How fast the machine is: `config/rates.csv`, or better, the records of a study that ran on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Annotated

from pydantic import Field

from protloc.config.rows import read_rows
from protloc.config.settings import Name, Settings
from protloc.errors import InputError
from protloc.facts import SUFFIX
from protloc.modules import SCRIPTS

RATES = SCRIPTS.parent / "config/rates.csv"
GPU, CORE = "gpu_gflops", "cpu_gflops"
UNITS = {GPU: "GFLOP/s of a GPU", CORE: "GFLOP/s of a core"}


class Rate(Settings):
    """A row: a rate, its unit, and where it comes from."""

    name: Name
    value: Annotated[float, Field(gt=0)]
    unit: str
    source: str


def read_rates(path: Path = RATES) -> dict[str, Rate]:
    """The rows by name; raises InputError that names line and column for one that does not fit."""
    return read_rows(path, _parse, "name")


def measured(results: Path) -> dict[str, Rate]:
    """What the records of a study's embeddings say of the GPU or the cores that made them: the median.

    Raises InputError where no record says it.
    """
    speeds: dict[str, list[float]] = {}
    devices: set[str] = set()
    for path in sorted(results.rglob(f"*{SUFFIX}")):
        run = json.loads(path.read_text(encoding="utf-8"))["run"]
        if "gflop_per_image" in run:
            kind = GPU if "gpu" in run else CORE
            share = 1 if "gpu" in run else run["how"]["threads"]
            speeds.setdefault(kind, []).append(run["gflop_per_image"] * run["images_per_second"] / share)
            devices.add(run["gpu"]["name"] if "gpu" in run else "cpu")
    if not speeds:
        raise InputError(
            f"{results}: no record of an embedding says how fast it was; name a study with networks"
        )
    source = f"measured: median of the embeddings in {results} ({', '.join(sorted(devices))})"
    return {
        name: Rate(name=name, value=median(values), unit=UNITS[name], source=source)
        for name, values in speeds.items()
    }


def _parse(row: Mapping[str, str | None]) -> Rate:
    try:
        return Rate.model_validate({**row, "value": float(row["value"] or "")})
    except ValueError:
        return Rate.model_validate(row)
