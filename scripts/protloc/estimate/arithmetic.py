"""How much arithmetic a network is, counted without its weights and without memory for them."""

from __future__ import annotations

import timm
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from protloc.config.backbones import Network
from protloc.images import CHANNELS
from protloc.models.weights import as_encoder, blank

TRAINED = (
    3.0  # a step forward and back beside a step forward (Kaplan et al. 2020, arXiv 2001.08361, section 2.1)
)


def gflop(network: Network, side_px: int) -> float:
    """10^9 floating-point operations of products and convolutions for one pass of an image of this side.

    The first convolution takes the image's channels and the constant one that folding adds.
    """
    with torch.device("meta"):
        model = timm.create_model(
            network.architecture, in_chans=len(CHANNELS) + 1, num_classes=0, **network.options
        )
        image = torch.empty(1, len(CHANNELS) + 1, side_px, side_px)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(image)
    return counter.get_total_flops() / 1e9


def parameters(network: Network) -> tuple[int, int]:
    """The number of weights of a network, and the length of its vectors."""
    with torch.device("meta"):
        model = blank(network)
        as_encoder(model, network)
    return sum(tensor.numel() for tensor in model.parameters()), model.num_features
