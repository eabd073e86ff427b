"""What is doubtful about the nuclei of a field, and about the field as a whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

from protloc.flags import FLAGS

SMALLEST_UM2 = 60.0  # HEK nuclei have 120 to 250 µm²; pyknotic ones and debris less than half of that
LIMIT = np.iinfo(np.uint16).max


def flag_nuclei(nuclei: np.ndarray, counts: np.ndarray, pixel_size_um: float) -> pd.DataFrame:
    """One row per label 1 to n, in order; the bool columns are those of protloc.flags.FLAGS.

    nuclei int32 (height, width), 0 is background; counts uint16 (height, width), the nucleus channel.
    """
    count = int(nuclei.max(initial=0))
    index = np.arange(1, count + 1)
    flags = pd.DataFrame(False, index=range(count), columns=list(FLAGS))
    if count == 0:
        return flags
    area = np.bincount(nuclei.ravel(), minlength=count + 1)[1:] * pixel_size_um**2
    rim = np.concatenate([nuclei[0], nuclei[-1], nuclei[:, 0], nuclei[:, -1]])
    flags["touches_border"] = np.isin(index, rim)
    flags["too_small"] = area < SMALLEST_UM2
    flags["saturated"] = ndimage.maximum(counts, nuclei, index) == LIMIT
    return flags


def field_problem(nuclei: np.ndarray, counts: np.ndarray) -> str | None:
    """What makes a field's nuclei doubtful as a whole, or None."""
    if counts.min() == counts.max():
        return "the nucleus channel is constant"
    if not nuclei.any():
        return "no nuclei"
    return None
