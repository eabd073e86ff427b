"""The student's optimizer: AdamW (Loshchilov & Hutter, arXiv 1711.05101), gradients of limited length."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from protloc.pretrain.schedule import Moment


def optimizer_of(student: nn.Module) -> torch.optim.AdamW:
    """AdamW that decays its first group, matrices, and not biases and scales of norms.

    Learning rate and weight decay are those of each step.
    """
    parameters = list(student.parameters())
    decayed = {"params": [parameter for parameter in parameters if parameter.ndim > 1]}
    others = {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0}
    return torch.optim.AdamW([decayed, others])


def descend(
    student: nn.Module, optimizer: torch.optim.AdamW, loss: Tensor, now: Moment, clip_norm: float
) -> None:
    """Take one step down the gradient of `loss`."""
    for group in optimizer.param_groups:
        group["lr"] = now.learning_rate
    optimizer.param_groups[0]["weight_decay"] = now.weight_decay
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), clip_norm)
    optimizer.step()
