"""What a run is trained, chosen and tested on: rows of the matrix of vectors, targets, weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from protloc.runs import in_use
from protloc.targets import balancing

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class RunData:
    """The data of one run; rows are int64 places in the matrix of vectors, in the order of their ids.

    targets: float32 (rows, classes) per part. masked: bool, likewise: entries that do not count. mean, scale:
    float32 (dimension,) of the training part.
    weights: float32 (classes,), what an example of a class counts in the loss. present: bool (classes,), the
    classes that the training part has.
    """

    seed: tuple[int, ...]
    rows: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    masked: Mapping[str, np.ndarray]
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    present: np.ndarray


def run_data(
    vectors: np.ndarray,
    place: pd.Index,
    split: pd.DataFrame,
    targets: Mapping[str, np.ndarray],
    fraction: float,
    seed: Sequence[int],
    balance: bool,
    masked: Mapping[str, np.ndarray] | None = None,
    shots: int = 0,
) -> RunData:
    """The data of the run on `fraction` or `shots` of a seed's `split`.

    `targets` are by image, float32 (classes,), `masked` likewise, bool; without it every entry counts.
    `place` has the images in the order of the vectors.

    Vectors are standardized over the training part alone; a direction in which it does not vary becomes 0.
    """
    used = split[in_use(split, fraction, shots)].sort_values("image_id")
    parts = {part: used[used["part"] == part] for part in PARTS}
    rows = {part: place.get_indexer(of["image_id"]) for part, of in parts.items()}
    masked = masked or {image: np.zeros(len(of_one), bool) for image, of_one in targets.items()}
    wanted, ignored = (
        {part: np.stack([by_image[image] for image in of["image_id"]]) for part, of in parts.items()}
        for by_image in (targets, masked)
    )
    training = vectors[rows["train"]].astype(np.float64)
    deviation = training.std(axis=0)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 1e-12)
    weights = balancing(wanted["train"]) if balance else np.ones(wanted["train"].shape[1])
    floats = (array.astype(np.float32) for array in (training.mean(axis=0), scale, weights))
    return RunData(tuple(seed), rows, wanted, ignored, *floats, wanted["train"].any(axis=0))
