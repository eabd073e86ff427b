"""The good fields of view of a study, in their order."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from protloc.images import read_field


@dataclass(frozen=True)
class Field:
    """A good field of view as `fovs.parquet` lists it; height and width in px."""

    fov_id: str
    key: str
    sha256: str
    height: int
    width: int
    pixel_size_um: float

    def read(self, root: Path) -> np.ndarray:
        """Its counts, uint16 (2, height, width), read below `root` and checked against the digest."""
        return read_field(root, self.key, self.sha256)


def good_fields(fovs: pd.DataFrame) -> list[Field]:
    """The fields of the table `fovs` whose status is `ok`, by id, whatever the order of its rows."""
    good = fovs[fovs["status"] == "ok"].sort_values("fov_id")
    columns = good[[field.name for field in dataclasses.fields(Field)]]
    return [Field(*row) for row in columns.itertuples(index=False)]


def typical_side_um(fovs: pd.DataFrame) -> float:
    """The median height of the good fields of the table `fovs`, µm."""
    good = fovs[fovs["status"] == "ok"]
    return float((good["height"].astype(float) * good["pixel_size_um"]).median())
