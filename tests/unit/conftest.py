"""A small mirror of the bucket, and the ways in which one can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

COLUMNS = "target_name,ensg_id,annotations_grade_3,annotations_grade_2,annotations_grade_1"


def key(gene: str, field: int, ensg: str = "ENSG00000000001") -> str:
    return f"microscopy/raw/{gene}_{ensg}/OC-FOV_{gene}_{ensg}_CID000001_FID{field:08d}_proj.tif"


def write_field(root: Path, name: str, pixels: np.ndarray) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels)
    return path


def pixels(seed: int, shape: tuple[int, ...] = (2, 40, 48)) -> np.ndarray:
    return np.random.default_rng(seed).integers(300, 5000, shape, dtype=np.uint16)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """Three good fields of two proteins."""
    root = tmp_path / "mirror"
    for field, gene in ((1, "AAA"), (2, "AAA"), (3, "HLA-B")):
        write_field(root, key(gene, field), pixels(field))
    return root
