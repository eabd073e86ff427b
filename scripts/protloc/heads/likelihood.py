"""What logits lose, and their probabilities, in NumPy: the same as `protloc.objective` in torch.

A logistic regression calls it thousands of times on small arrays, and importing torch would take longer.
"""

from __future__ import annotations

import numpy as np

from protloc.heads.data import RunData

NEVER = np.float32(-1e30)  # a logit whose share is 0; minus infinity times 0 is not a number


class Likelihood:
    """The losses of the images of a part of a run, and their derivatives by each logit."""

    def __init__(self, data: RunData, part: str) -> None:
        self._policy, weights = data.policy, data.weights
        masked = data.masked[part]
        self._masked = masked if masked.any() else None
        # Under `multi` a loss is the mean over the classes.
        self._share = np.where(masked, 0, weights / (len(weights) if data.policy == "multi" else 1))
        self._share = self._share.astype(np.float32)
        self._targets = data.targets[part]
        self._wanted = self._targets * self._share
        self._counts = self._wanted.sum(axis=1, keepdims=True)

    def __call__(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The loss of each image, float32 (images,), and its first derivatives (images, classes)."""
        if self._policy == "multi":
            small = np.exp(-np.abs(logits))
            lost = (np.maximum(logits, 0) - logits * self._targets + np.log1p(small)) * self._share
            return lost.sum(axis=1), (_sigmoid(logits, small) - self._targets) * self._share
        shifted, powers, sums = self._softmax(logits)
        lost = self._counts * np.log(sums) - (self._wanted * shifted).sum(axis=1, keepdims=True)
        return lost[:, 0], powers * (self._counts / sums) - self._wanted

    def curvature(self, logits: np.ndarray) -> np.ndarray:
        """The second derivatives of the losses by each logit, summed over the images: (classes,)."""
        if self._policy == "multi":
            said = _sigmoid(logits, np.exp(-np.abs(logits)))
            return (said * (1 - said) * self._share).sum(axis=0)
        _, powers, sums = self._softmax(logits)
        said = powers / sums
        return (said * (1 - said) * self._counts).sum(axis=0)

    def _softmax(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logits below the largest of their image, their exponentials, and the sums of these."""
        logits = logits if self._masked is None else np.where(self._masked, NEVER, logits)
        shifted = logits - logits.max(axis=1, keepdims=True)
        powers = np.exp(shifted)
        return shifted, powers, powers.sum(axis=1, keepdims=True)


def probabilities(logits: np.ndarray, present: np.ndarray, policy: str) -> np.ndarray:
    """Of a softmax or of sigmoids, float32 (images, classes); a class that is not `present` has none."""
    if policy == "multi":
        return _sigmoid(logits, np.exp(-np.abs(logits))) * present
    shifted = np.where(present, logits, NEVER)
    powers = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _sigmoid(logits: np.ndarray, small: np.ndarray) -> np.ndarray:
    """Without an overflow; `small` is exp(-|logits|)."""
    return np.where(logits < 0, small, np.float32(1)) / (1 + small)
