"""All runs of the probe on one embedding file: every split, fraction and seed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.linalg import qr
from sklearn.base import ClassifierMixin
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer, StandardScaler

from protloc.decide import decide
from protloc.errors import InputError
from protloc.leakage import check_no_leak
from protloc.probe.logistic import fit, probabilities


def probe_split(
    vectors: Mapping[str, np.ndarray],
    split: pd.DataFrame,
    *,
    unit: str,
    policy: str,
    fractions: Sequence[float],
    inverse_l2: Sequence[float],
    max_iterations: int,
) -> Iterator[pd.DataFrame]:
    """Yield the `predictions` rows of each run (seed, fraction) of a split, in the split's order.

    `vectors` maps a field to its float32 vector. Raises InputError if a group leaks between parts, a field
    of the split has no vector, or a fraction holds no field.
    """
    check_no_leak(split, unit, f"split by {unit}")
    missing = sorted(set(split["fov_id"]) - set(vectors))
    if missing:
        raise InputError(
            f"embedding: {len(missing)} fields of the split have no vector, the first {missing[0]}; "
            f"run again with --forcerun embed"
        )
    for seed, of_seed in split.groupby("seed"):
        for fraction in sorted(fractions):
            logging.info("split by %s, %s labels, seed %d, fraction %g", unit, policy, seed, fraction)
            rows = _probe_run(vectors, of_seed, policy, fraction, inverse_l2, max_iterations)
            yield rows.assign(split_unit=unit, label_policy=policy, fraction=fraction, seed=seed)


def _probe_run(
    vectors: Mapping[str, np.ndarray],
    split: pd.DataFrame,
    policy: str,
    fraction: float,
    inverse_l2: Sequence[float],
    max_iterations: int,
) -> pd.DataFrame:
    """Train on a fraction, choose the penalty on validation, predict the test part."""
    binarizer = MultiLabelBinarizer().fit(split["labels"])
    parts = {name: split[split["part"] == name] for name in ("train", "validation", "test")}
    parts["train"] = parts["train"][parts["train"]["fraction"] <= fraction]
    if parts["train"].empty:
        raise InputError(f"split: fraction {fraction:g} holds no field; raise splits.fractions")
    inputs = _standardized(vectors, parts)
    truths = {name: binarizer.transform(part["labels"]).astype(bool) for name, part in parts.items()}
    _report_absent(binarizer.classes_, truths["train"])
    classifiers = {
        strength: fit(inputs["train"], truths["train"], policy, strength, max_iterations)
        for strength in sorted(inverse_l2)
    }
    best = _best(classifiers, inputs["validation"], truths["validation"], policy)
    scores = probabilities(best, inputs["test"], len(binarizer.classes_))
    predicted = binarizer.inverse_transform(decide(scores, policy))
    return pd.DataFrame(
        {
            "fov_id": parts["test"]["fov_id"].to_numpy(),
            "gene": parts["test"]["gene"].to_numpy(),
            "truth": parts["test"]["labels"].to_list(),
            "predicted": [list(labels) for labels in predicted],
            "classes": [list(binarizer.classes_)] * len(scores),
            "probabilities": list(scores),
        }
    )


def _standardized(
    vectors: Mapping[str, np.ndarray], parts: Mapping[str, pd.DataFrame]
) -> dict[str, np.ndarray]:
    """The parts' vectors, float64 (images, dimension), with mean 0 and variance 1 over the training part.

    If there are fewer training images than dimensions, vectors are given in coordinates of the space that the
    training images span: L2-regularized weights lie in it, so the optimum is the same and much nearer.
    """
    inputs = {
        name: np.stack([vectors[fov] for fov in part["fov_id"]]).astype(np.float64)
        for name, part in parts.items()
    }
    scaler = StandardScaler().fit(inputs["train"])
    standard = {name: scaler.transform(matrix) for name, matrix in inputs.items()}
    images, dimension = standard["train"].shape
    if images >= dimension:
        return standard
    axes, _ = qr(standard["train"].T, mode="economic")
    return {name: matrix @ axes for name, matrix in standard.items()}


def _best(
    classifiers: Mapping[float, ClassifierMixin], vectors: np.ndarray, truth: np.ndarray, policy: str
) -> ClassifierMixin:
    """The classifier with the highest macro F1; of equals, that with the strongest penalty."""
    scores = {}
    for strength, classifier in classifiers.items():
        guess = decide(probabilities(classifier, vectors, truth.shape[1]), policy)
        scores[strength] = f1_score(truth, guess, average="macro", zero_division=0)
    chosen = max(scores, key=lambda strength: (scores[strength], -strength))
    listed = ", ".join(f"{strength:g}: {score:.3f}" for strength, score in scores.items())
    logging.info("macro F1 on validation by inverse_l2: %s; chosen: %g", listed, chosen)
    return classifiers[chosen]


def _report_absent(classes: np.ndarray, truth: np.ndarray) -> None:
    absent, present = classes[~truth.any(axis=0)], classes[truth.any(axis=0)]
    if len(present) == 1:
        logging.warning("all training fields are %s: nothing to learn, it is predicted always", present[0])
    elif len(absent):
        logging.warning("no training field, so never predicted: %s", ", ".join(absent))
