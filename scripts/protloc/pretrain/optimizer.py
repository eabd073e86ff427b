"""The student's optimizer: AdamW (Loshchilov & Hutter, arXiv 1711.05101), gradients of limited length."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from protloc.config.settings import Pretraining


def optimizer_of(student: nn.Module, settings: Pretraining) -> torch.optim.AdamW:
    """AdamW that decays matrices, not biases and scales of norms, which are not to be pulled to zero."""
    parameters = list(student.parameters())
    decayed = {"params": [parameter for parameter in parameters if parameter.ndim > 1]}
    others = {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0}
    return torch.optim.AdamW([decayed, others], lr=settings.learning_rate, weight_decay=settings.weight_decay)


def descend(
    student: nn.Module, optimizer: torch.optim.AdamW, loss: Tensor, learning_rate: float, clip_norm: float
) -> None:
    """Take one step down the gradient of `loss`."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), clip_norm)
    optimizer.step()
