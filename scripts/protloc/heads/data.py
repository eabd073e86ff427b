"""What a head is trained, chosen and tested on: rows of the matrix of vectors, targets, weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from protloc.runs import Run, masked, truth
from protloc.standard_scores import StandardScores, standard_scores
from protloc.targets import balancing, masks, targets

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class RunData:
    """The data of one run; rows are int64 places in the matrix of vectors, in the order of their ids.

    targets, masked: float32 and bool (rows, classes) per part; a masked class has no part in the loss of an
    image. truth, unscored: bool (rows, classes) of validation and test, which scores are about, and what they
    leave out. scores: of the training vectors. weights: float32 (classes,), what an example of a class counts
    in the loss. present: bool (classes,), the classes that the training part has.
    """

    seed: tuple[int, ...]
    policy: str
    rows: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    masked: Mapping[str, np.ndarray]
    truth: Mapping[str, np.ndarray]
    unscored: Mapping[str, np.ndarray]
    scores: StandardScores
    weights: np.ndarray
    present: np.ndarray

    def standard(self, vectors: np.ndarray, part: str) -> np.ndarray:
        """Float32 standard scores (rows, dimension) of a part."""
        return self.scores(vectors[self.rows[part]])


def run_data(
    run: Run, place: pd.Index, vectors: np.ndarray, proteins: pd.DataFrame, settings: Mapping[str, Any]
) -> RunData:
    """The data of a run; `place` has the ids of the `vectors` in their order, `settings` are the probe's.

    Vectors are standardized over the run's training part alone; what is left out or clipped is logged.
    """
    soft = settings["soft_targets"] if run.policy == "multi" else None
    parts = {part: run.part(part) for part in PARTS}
    rows = {part: place.get_indexer(of["image_id"]) for part, of in parts.items()}
    wanted, out = (
        {part: np.stack([by_image[name] for name in of["image_id"]]) for part, of in parts.items()}
        for by_image in (
            targets(run.split, run.classes, proteins, soft),
            masks(run.split, run.classes, soft),
        )
    )
    balanced = balancing(wanted["train"]) if settings["balance"] else np.ones(len(run.classes))
    data = RunData(
        (run.seed,),
        "multi" if run.policy == "multi" else "single",  # a label by hand is one
        rows,
        wanted,
        out,
        {part: truth(run, part) for part in ("validation", "test")},
        {part: masked(run, part) for part in ("validation", "test")},
        standard_scores(vectors[rows["train"]]),
        balanced.astype(np.float32),
        wanted["train"].any(axis=0),
    )
    _report(run, data.scores, [vectors[rows[part]] for part in PARTS])
    return data


def _report(run: Run, scores: StandardScores, parts: list[np.ndarray]) -> None:
    """Log how many directions are left out, and how many entries are clipped in each part."""
    clipped = [scores.beyond(part) for part in parts]
    if scores.left_out or any(clipped):
        logging.info(
            "%s: %d of %d directions hardly vary in training and are left out; entries clipped in training, "
            "validation and test: %d, %d and %d",
            *(run.name, scores.left_out, len(scores.scale), *clipped),
        )
