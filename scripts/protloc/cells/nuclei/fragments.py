"""Masks of nuclei cut into fragments: more than there are nuclei, so that hardly any fragment lies in two."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

WINDOW = 5  # px: peaks of the distance that lie closer are one


def cut_at_necks(mask: np.ndarray, over: np.ndarray, smoothing: float) -> np.ndarray:
    """Fragments of the mask `over`, labels int32 (height, width), one for each peak of the depth.

    Depth is the distance to the rim of `mask`, which is tighter: what lies between nuclei belongs to one of
    them in the end, but is what tells them apart. Less `smoothing` of it, px, gives more fragments.
    """
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), smoothing)
    peaks = (ndimage.maximum_filter(depth, WINDOW) == depth) & mask
    seeds, _ = ndimage.label(peaks, np.ones((3, 3)))
    return watershed(-depth, seeds, mask=over)
