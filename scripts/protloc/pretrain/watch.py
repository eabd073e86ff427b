"""Is anything being learned? What is measured of the teacher after each epoch, and the signs of collapse."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from protloc.pretrain.fields import Fields
from protloc.pretrain.neighbours import accuracy
from protloc.pretrain.teacher import Encoder

FLAT = 0.05  # of the variation that vectors can have at most: the pictures have become one
SURE, UNSURE = 0.01, 0.98  # of ln K, the largest entropy: targets that say the same of all, or nothing


@torch.inference_mode()
def measure(teacher: Encoder, held_out: Fields) -> dict[str, float]:
    """Validation kNN accuracy, and how much the vectors of the held-out fields differ, each 0 to 1.

    Fields go through the network one by one, as when they are embedded.
    """
    teacher.eval()
    device = teacher.mean.device
    vectors = [teacher.features(image[None].to(device).float() / 255)[0] for image in held_out.images]
    teacher.train()
    matrix = torch.stack(vectors).double().cpu().numpy()
    return {
        "knn_accuracy": accuracy(matrix, held_out.labels, held_out.proteins),
        "variation": variation(matrix),
    }


def variation(vectors: np.ndarray) -> float:
    """1 minus the length of the mean of the vectors scaled to length 1: 0 if all point the same way."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)
    return float(1 - np.linalg.norm(unit.mean(axis=0)))


def collapse(curve: Sequence[Mapping[str, float]], prototypes: int) -> str | None:
    """What is wrong with the end of a curve, in words; None if nothing is."""
    last, largest = curve[-1], math.log(prototypes)
    if last["variation"] < FLAT * curve[0]["variation"]:
        return f"the vectors of different fields are nearly alike (variation {last['variation']:.2g})"
    if not SURE * largest < last["teacher_entropy"] < UNSURE * largest:
        return f"the teacher's targets say nothing (entropy {last['teacher_entropy']:.2f} of {largest:.2f})"
    if not last["loss"] < largest:
        return f"the loss, {last['loss']:.2f}, is no better than guessing, {largest:.2f}"
    return None


def warn_of_collapse(curve: Sequence[Mapping[str, float]], prototypes: int) -> None:
    """Log a warning if the training has collapsed or not begun."""
    fault = collapse(curve, prototypes)
    if fault:
        logging.warning("pretraining has learned nothing: %s; see docs/pretraining.md", fault)
