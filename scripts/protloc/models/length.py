"""How long a network's vectors are, and whether it takes images of the size that its row says."""

from __future__ import annotations

import torch
from torch import nn
from torch.func import functional_call

from protloc.config.backbones import Network
from protloc.config.tokens import rounded
from protloc.errors import InputError

SIDE = 160  # px; no network takes this size alone


def vector_length(model: nn.Module, network: Network) -> int:
    """The length of the vectors of a model of this row, found without computing them.

    timm's `num_features` is that of the features before the head, which may be of another length. Raises
    InputError for a model that takes images of one size, if the row does not say that size.
    """
    side = network.image_px or rounded(SIDE, network.size_multiple)
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    shapes = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
    images = torch.empty(1, len(network.slots), side, side, device="meta")
    training = model.training
    try:
        with torch.no_grad():
            found = functional_call(model.eval(), shapes, (images,))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise InputError(
            f"config/backbones.yaml: {network.title}: {network.architecture} takes no image of {side} px "
            f"({' '.join(str(error).split())[:120]}); give image_px, the side that it takes, or options: "
            "{dynamic_img_size: true}, if it is a ViT"
        ) from error
    finally:
        model.train(training)
    return found.shape[1]
