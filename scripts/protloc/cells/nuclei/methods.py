"""The ways to find nuclei, by the name they have in the configuration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from protloc.cells.nuclei import cellpose, classical, stardist

SEGMENTERS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "classical": classical.find_nuclei,
    "stardist": stardist.find_nuclei,
    "cellpose": cellpose.find_nuclei,
}
