"""A network under a channel strategy, ready to say where in an image its vector comes from."""

from __future__ import annotations

import numpy as np
import torch

from protloc.attention.places import (
    before_last_block,
    class_token_attention,
    features_and_vector,
    kind_of,
    pool_attention,
    similarity,
)
from protloc.config.backbones import Network
from protloc.models.folding import fold
from protloc.models.preprocess import prepare
from protloc.models.strategies import matrices
from protloc.models.view import view_of
from protloc.models.weights import build

CPU = torch.device("cpu")


class Mapper:
    """Makes the maps of one network; `kind` says what they are, see `kind_of`."""

    def __init__(self, network: Network, strategy: str) -> None:
        self._network = network
        model = build(network).to(memory_format=torch.channels_last)
        self.kind = kind_of(model)
        used = matrices(strategy, network.slots, network.natural)
        self._passes = [fold(model, matrix, *network.moments) for matrix in used]
        token = self.kind == "class_token"
        self._shorter = [before_last_block(model) if token else None for model in self._passes]

    @torch.inference_mode()
    def map(self, counts: np.ndarray, pixel_size_um: float) -> np.ndarray:
        """Float32 (height, width) of the places of an image, uint16 counts (channel, height, width).

        Of several passes: the mean of their attention; the similarity of all their features to all of the
        vector. Images go one by one: a batch of another size may be summed in another order.
        """
        network = self._network
        view = view_of(network, "fov")
        images = prepare(torch.from_numpy(counts)[None], pixel_size_um, view, CPU, network.normalization)
        images = images.contiguous(memory_format=torch.channels_last)
        if self.kind == "similarity":
            found = [features_and_vector(model, images) for model in self._passes]
            return similarity(*(torch.cat(parts) for parts in zip(*found, strict=True))).numpy()
        if self.kind == "pool":
            maps = [pool_attention(model, images) for model in self._passes]
        else:
            both = zip(self._passes, self._shorter, strict=True)
            maps = [class_token_attention(model, shorter, images) for model, shorter in both]
        return torch.stack(maps).mean(dim=0).numpy()
