"""Logistic regression on standardized vectors: a softmax for `single`, a sigmoid per class for `multi`."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from protloc.errors import InputError

TOLERANCE = 1e-6  # at 1e-3 a tenth of the predictions still change; the rest of the way costs little


def fit(
    vectors: np.ndarray, truth: np.ndarray, policy: str, inverse_l2: float, max_iterations: int
) -> ClassifierMixin:
    """A fitted classifier of standardized training `vectors`, float64 (images, dimension).

    `truth` is bool (images, classes). Vectors that do not differ, and a single class, leave nothing to learn
    but how frequent each class is. Raises InputError if the optimum is not reached: a probe that has not
    converged is not a result.
    """
    target = truth.argmax(axis=1) if policy == "single" else truth.astype(int)
    learnable = vectors.any() and truth.any(axis=0).sum() > 1
    regression = LogisticRegression(C=inverse_l2, max_iter=max_iterations, tol=TOLERANCE)
    head = regression if learnable else DummyClassifier(strategy="prior")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        for known in ("Label .* is present", "The number of unique classes is greater"):
            warnings.filterwarnings("ignore", known, UserWarning)  # small fractions; runs.py reports them
        try:
            return (head if policy == "single" else OneVsRestClassifier(head)).fit(vectors, target)
        except ConvergenceWarning as warning:
            raise InputError(
                f"probe: no convergence within {max_iterations} iterations at inverse_l2 {inverse_l2:g}; "
                f"raise probe.max_iterations"
            ) from warning


def probabilities(classifier: ClassifierMixin, vectors: np.ndarray, classes: int) -> np.ndarray:
    """Float32 (images, classes); a class that the training part lacked has probability 0."""
    result = np.zeros((len(vectors), classes), dtype=np.float32)
    result[:, classifier.classes_] = classifier.predict_proba(vectors)
    return result
