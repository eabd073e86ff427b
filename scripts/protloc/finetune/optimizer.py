"""AdamW (Loshchilov & Hutter, arXiv 1711.05101), a rate for each layer, and how rates change over steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from protloc.config.settings import Finetune


def optimizer_of(passes: Sequence[nn.Module], head: nn.Module, settings: Finetune) -> torch.optim.AdamW:
    """AdamW on what learns of a network's passes, which share weights, and on its head.

    The last layer has `learning_rate`, each earlier one less, by timm's order of a network's layers; the head
    has its own. Matrices are decayed, biases, scales and position embeddings are not. A group's `full_rate`
    is its rate between rise and fall.
    """
    decay, groups, seen = settings.weight_decay, [], set()
    for network in passes:
        spared = getattr(network, "no_weight_decay", set)()
        for layer in param_groups_layer_decay(network, decay, spared, layer_decay=settings.layer_decay):
            new = [parameter for parameter in layer["params"] if parameter not in seen]
            seen.update(new)
            rate = settings.learning_rate * layer["lr_scale"]
            groups.append({"params": new, "full_rate": rate, "weight_decay": layer["weight_decay"]})
    for parameter in head.parameters():
        decayed = {"weight_decay": decay if parameter.ndim > 1 else 0.0}
        groups.append({"params": [parameter], "full_rate": settings.head_learning_rate, **decayed})
    return torch.optim.AdamW([group for group in groups if group["params"]], fused=True)


def factor(step: int, steps: int, warmup_share: float) -> float:
    """What the rates are multiplied by at `step`, from 0, of `steps`: a rise, then half a cosine to 0."""
    rise = round(warmup_share * steps)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise)))
