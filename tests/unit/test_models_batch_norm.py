"""Batch normalization folded into convolutions: the same vectors, and only where that is right."""

from __future__ import annotations

import pytest
import torch
from protloc.config.backbones import Network
from protloc.models.batch_norm import fold_batch_norms
from protloc.models.weights import build, digest
from test_embed_network import CNN
from torch import Tensor, nn


def network_of(architecture: str) -> Network:
    return Network.model_validate(CNN | {"architecture": architecture})


def norms_of(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def with_statistics(model: nn.Module) -> nn.Module:
    """The model in evaluation mode, its batch normalizations with scales and moments other than 1 and 0."""
    random = torch.Generator().manual_seed(1)
    for norm in norms_of(model):
        for tensor in (norm.weight.data, norm.running_var):
            tensor.uniform_(0.7, 1.4, generator=random)
        for tensor in (norm.bias.data, norm.running_mean):
            tensor.uniform_(-0.3, 0.3, generator=random)
    return model.eval()


@torch.inference_mode()
def largest_difference(model: nn.Module, network: Network) -> float:
    """Of vectors before and after folding, relative to the largest number in them."""
    images = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    before = model(images)
    fold_batch_norms(model, network)
    return float((model(images) - before).abs().max() / before.abs().max())


@pytest.mark.parametrize(
    ("architecture", "left"), [("tf_efficientnet_lite0", 0), ("resnet18", 0), ("densenet121", 62)]
)
def test_folding_changes_no_vector_and_leaves_norms_that_follow_no_convolution(architecture, left):
    network = network_of(architecture)
    model = with_statistics(build(network))
    assert largest_difference(model, network) < 1e-4
    assert len(norms_of(model)) == left


def test_a_network_without_batch_norms_stays_as_it_is():
    network = network_of("convnext_atto")
    model = build(network)
    modules, before = dict(model.named_modules()), digest(model)
    fold_batch_norms(model, network)
    assert dict(model.named_modules()) == modules
    assert digest(model) == before


class Order(nn.Module):
    """A convolution and a normalization in an order of calls that their names do not tell."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        if self.kind == "norm first":
            found = self.conv(self.norm(images))
        elif self.kind == "output used twice":
            convolved = self.conv(images)
            found = convolved + self.norm(convolved)
        elif self.kind == "norm called twice":
            found = self.norm(self.norm(self.conv(images)))
        elif self.kind == "convolution called twice":
            found = self.norm(self.conv(self.conv(images)))
        else:
            found = self.norm(self.conv(images))
        return found.mean(dim=(2, 3))


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("norm after", 0),
        ("norm first", 1),
        ("output used twice", 1),
        ("norm called twice", 1),
        ("convolution called twice", 1),
    ],
)
def test_only_what_takes_a_convolutions_output_alone_is_folded(kind, left):
    model = with_statistics(Order(kind))
    assert largest_difference(model, network_of("resnet18")) < 1e-5
    assert len(norms_of(model)) == left
