"""A network in several variants at once: prepared images in, a vector per channel strategy and scale out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from protloc.config.backbones import Network
from protloc.models.batch_norm import fold_batch_norms
from protloc.models.folding import fold
from protloc.models.pooling import feature_name
from protloc.models.preprocess import NORMALIZATIONS, prepare
from protloc.models.strategies import matrices
from protloc.models.view import view_of
from protloc.models.weights import build, digest
from protloc.variants import Variant


class Encoder:
    """A network, ready on its device, folded once for each distinct matrix of its strategies."""

    def __init__(
        self, network: Network, variants: Sequence[Variant], device: torch.device, level: str = "fov"
    ) -> None:
        self.network, self.device, self.variants = network, device, list(variants)
        self.precision = torch.bfloat16 if device.type == "cuda" else torch.float32
        strategies = dict.fromkeys(variant.strategy for variant in variants)
        self.matrices = {name: matrices(name, network.slots, network.natural) for name in strategies}
        view = view_of(network, level)
        self.views = {variant.scale: view.at(variant.scale) for variant in variants}
        model = build(network)
        self.features, self.digest, self.feature = model.num_features, digest(model), feature_name(model)
        fold_batch_norms(model, network)
        model.to(device, memory_format=torch.channels_last)
        distinct = dict.fromkeys(matrix for several in self.matrices.values() for matrix in several)
        self.passes = {matrix: fold(model, matrix, *network.moments) for matrix in distinct}

    @torch.inference_mode()
    def vectors(
        self, counts: Tensor, pixel_size_um: float, precision: torch.dtype | None = None
    ) -> dict[Variant, Tensor]:
        """Float32 (batch, dimension) per variant, for uint16 counts (batch, channel, height, width).

        The network computes in `precision`, if it is given, instead of the device's own. A GPU may still be
        at work when this returns.
        """
        precision, found = precision or self.precision, {}
        for scale in self.views:
            mine = [variant.strategy for variant in self.variants if variant.scale == scale]
            needed = dict.fromkeys(matrix for name in mine for matrix in self.matrices[name])
            of_matrix = self._passed(counts, pixel_size_um, scale, list(needed), precision)
            for name in mine:
                parts = [of_matrix[matrix] for matrix in self.matrices[name]]
                found[Variant(name, scale)] = torch.cat(parts, dim=1)
        return {variant: found[variant] for variant in self.variants}

    def _passed(
        self,
        counts: Tensor,
        pixel_size_um: float,
        scale: float,
        needed: Sequence,
        precision: torch.dtype,
    ) -> dict:
        """The vectors (batch, features) of each matrix at a scale; of tiles, their mean."""
        view = self.views[scale]
        tiles = view.tiles(*counts.shape[-2:], pixel_size_um)
        sums: dict = {}
        for rows, columns in tiles:
            tile = counts[..., rows, columns]
            images = prepare(tile, pixel_size_um, view, self.device, self.network.normalization)
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast(self.device.type, precision, enabled=precision != torch.float32):
                vectors = {matrix: self.passes[matrix](images).float() for matrix in needed}
            sums = {matrix: sums[matrix] + of if sums else of for matrix, of in vectors.items()}
        return {matrix: of / len(tiles) if len(tiles) > 1 else of for matrix, of in sums.items()}

    def encode(self, counts: Tensor, pixel_size_um: float) -> dict[Variant, np.ndarray]:
        """The same as arrays."""
        return to_host(self.vectors(counts, pixel_size_um))

    def footer(self) -> dict[str, str]:
        """What the vectors are, for the file they lie in; equal for equal vectors."""
        network = self.network
        mean, std = network.moments
        intensity = NORMALIZATIONS[network.normalization].description
        normalization = {"intensity": intensity, "mean": mean, "std": std}
        views = {f"{scale:g}": self._said(scale) for scale in self.views}
        lengths = {name: self.features * len(several) for name, several in self.matrices.items()}
        return {
            "title": network.title,
            "architecture": network.architecture,
            "options": json.dumps(network.options, sort_keys=True),
            "weights": network.weights or f"random, seed {network.seed}",
            "weights_sha256": self.digest,
            "slots": json.dumps(network.slots),
            "matrices": json.dumps(self.matrices),
            "normalization": json.dumps(normalization),
            "scales": json.dumps(views),
            "precision": str(self.precision).removeprefix("torch."),
            "feature": self.feature,
            "dimensions": json.dumps(lengths),
        }

    def _said(self, scale: float) -> dict[str, float | int]:
        """How images are shown at a scale, in the registry's words."""
        view = self.views[scale]
        shown = {"px": view.px * scale} if view.px else {"um_per_px": view.um_per_px / scale}
        tiles = {"tile_px": view.tile_px} if view.tile_px else {}
        return {**shown, **tiles, "size_multiple": view.multiple}


def to_host(vectors: Mapping[Variant, Tensor]) -> dict[Variant, np.ndarray]:
    """The tensors as arrays, once they are computed."""
    return {name: tensor.cpu().numpy() for name, tensor in vectors.items()}
