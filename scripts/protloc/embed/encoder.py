"""A network under several channel strategies at once: prepared images in, a vector per strategy out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from protloc.config.backbones import Network
from protloc.models.folding import fold
from protloc.models.pooling import feature_name
from protloc.models.preprocess import NORMALIZATIONS, prepare
from protloc.models.strategies import matrices
from protloc.models.weights import build, digest


class Encoder:
    """A network, ready on its device, folded once for each distinct matrix of its strategies."""

    def __init__(self, network: Network, strategies: Sequence[str], device: torch.device) -> None:
        self.network, self.device = network, device
        self.precision = torch.bfloat16 if device.type == "cuda" else torch.float32
        self.matrices = {name: matrices(name, network.slots, network.natural) for name in strategies}
        model = build(network)
        self.features, self.digest, self.feature = model.num_features, digest(model), feature_name(model)
        model.to(device, memory_format=torch.channels_last)
        distinct = dict.fromkeys(matrix for several in self.matrices.values() for matrix in several)
        self.passes = {matrix: fold(model, matrix, *network.moments) for matrix in distinct}

    @torch.inference_mode()
    def vectors(
        self, counts: Tensor, pixel_size_um: float, precision: torch.dtype | None = None
    ) -> dict[str, Tensor]:
        """Float32 (batch, dimension) per strategy, for uint16 counts (batch, channel, height, width).

        The network computes in `precision`, if it is given, instead of the device's own. A GPU may still be
        at work when this returns.
        """
        precision = precision or self.precision
        network = self.network
        scale = (pixel_size_um, network.um_per_px, network.size_multiple)
        images = prepare(counts, *scale, self.device, network.normalization)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, precision, enabled=precision != torch.float32):
            vectors = {matrix: model(images) for matrix, model in self.passes.items()}
        return {
            name: torch.cat([vectors[matrix] for matrix in several], dim=1).float()
            for name, several in self.matrices.items()
        }

    def encode(self, counts: Tensor, pixel_size_um: float) -> dict[str, np.ndarray]:
        """The same as arrays."""
        return to_host(self.vectors(counts, pixel_size_um))

    def footer(self, strategy: str) -> dict[str, str]:
        """What the vectors of a strategy are, for the file they lie in; equal for equal vectors."""
        network = self.network
        mean, std = network.moments
        intensity = NORMALIZATIONS[network.normalization].description
        normalization = {"intensity": intensity, "mean": mean, "std": std}
        return {
            "title": network.title,
            "architecture": network.architecture,
            "options": json.dumps(network.options, sort_keys=True),
            "weights": network.weights or f"random, seed {network.seed}",
            "weights_sha256": self.digest,
            "strategy": strategy,
            "slots": json.dumps(network.slots),
            "matrices": json.dumps(self.matrices[strategy]),
            "normalization": json.dumps(normalization),
            "um_per_px": str(network.um_per_px),
            "size_multiple": str(network.size_multiple),
            "precision": str(self.precision).removeprefix("torch."),
            "feature": self.feature,
            "dimension": str(self.features * len(self.matrices[strategy])),
        }


def to_host(vectors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """The tensors as arrays, once they are computed."""
    return {name: tensor.cpu().numpy() for name, tensor in vectors.items()}
