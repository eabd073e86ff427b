"""Nuclei by StarDist: needs the packages stardist and tensorflow, and published weights.

Schmidt et al. 2018, Cell detection with star-convex polygons, MICCAI, arXiv 1806.03535.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from protloc.cells.nuclei.labels import in_reading_order
from protloc.config.sources import read_sources
from protloc.errors import InputError

FOLDER = Path("data/weights/2D_versatile_fluo")  # below the working directory, as all weights
FILES = ("config.json", "thresholds.json", "weights_best.h5")
UM_PER_PX = 0.5  # its training images show nuclei about 20 to 30 px wide
LOW, HIGH = 1, 99.8  # percentiles by which its training images were scaled


def find_nuclei(nucleus: np.ndarray, pixel_size_um: float) -> np.ndarray:
    """Labels int32 (height, width), 0 is background, of the counts uint16 (height, width).

    Raises InputError where the package or the weights are missing.
    """
    low, high = np.percentile(nucleus, [LOW, HIGH])
    if low == high:
        return np.zeros(nucleus.shape, np.int32)
    scaled = ((nucleus - low) / (high - low)).astype(np.float32)
    labels, _ = _model().predict_instances(scaled, scale=pixel_size_um / UM_PER_PX)
    return in_reading_order(labels)


@cache
def _model() -> Any:
    missing = next((FOLDER / name for name in FILES if not (FOLDER / name).is_file()), None)
    if missing is not None:
        url = read_sources()["stardist_2d_versatile_fluo"].url
        raise InputError(
            f"{missing}: missing; get {url} and unpack it there, or set cells.segmenter: classical"
        )
    try:
        from stardist.models import StarDist2D
    except ImportError as error:
        raise InputError(
            f"cells.segmenter: stardist: {error}; uv pip install stardist tensorflow, or set it to classical"
        ) from error
    return StarDist2D(None, name=FOLDER.name, basedir=str(FOLDER.parent))
