"""How well found objects agree with the truth."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment


def overlaps(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Intersection over union, float64 (objects of the truth, objects found), of two label images.

    Labels are integers, 0 is background; rows and columns are in the order of the labels that occur.
    """
    labels_true, rows = np.unique(truth, return_inverse=True)
    labels_found, columns = np.unique(found, return_inverse=True)
    shape = len(labels_true), len(labels_found)
    pairs = rows.ravel() * shape[1] + columns.ravel()
    shared = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
    union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    return (shared / union)[np.ix_(labels_true > 0, labels_found > 0)]


def matched_f1(truth: np.ndarray, found: np.ndarray, least_iou: float = 0.5) -> float:
    """F1 of objects, 0 to 1: pairs that overlap by `least_iou` or more, one to one, over the mean count.

    1 where neither image holds an object.
    """
    iou = overlaps(truth, found)
    rows, columns = linear_sum_assignment(iou >= least_iou, maximize=True)
    hits = int((iou[rows, columns] >= least_iou).sum())
    return 2 * hits / sum(iou.shape) if sum(iou.shape) else 1.0
