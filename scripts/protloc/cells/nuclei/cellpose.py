"""Nuclei by Cellpose-SAM: needs the package cellpose, version 4, and published weights.

Pachitariu et al. 2025, bioRxiv 2025.04.28.651001.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from protloc.cells.nuclei.labels import in_reading_order
from protloc.config.sources import read_sources
from protloc.errors import InputError

WEIGHTS = Path("data/weights/cpsam_v2")  # below the working directory, as all weights
DIAMETER_UM = 15.0  # of a nucleus; only brings the image near the network's scale


def find_nuclei(nucleus: np.ndarray, pixel_size_um: float) -> np.ndarray:
    """Labels int32 (height, width), 0 is background, of the counts uint16 (height, width).

    Raises InputError where the package or the weights are missing.
    """
    if nucleus.min() == nucleus.max():
        return np.zeros(nucleus.shape, np.int32)
    labels, *_ = _model().eval(nucleus, diameter=DIAMETER_UM / pixel_size_um)
    return in_reading_order(labels)


@cache
def _model() -> Any:
    if not WEIGHTS.is_file():  # the package would fetch them by itself
        url = read_sources()["cellpose_sam"].url
        raise InputError(f"{WEIGHTS}: missing; get {url} and put it there, or set cells.segmenter: classical")
    try:
        from cellpose.models import CellposeModel
    except ImportError as error:
        raise InputError(
            f"cells.segmenter: cellpose: {error}; uv pip install 'cellpose>=4', or set it to classical"
        ) from error
    return CellposeModel(gpu=True, pretrained_model=str(WEIGHTS))  # the processor, where there is no GPU
