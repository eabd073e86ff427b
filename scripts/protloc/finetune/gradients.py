"""The gradient of a batch, block by block: any batch fits any device, and the result is that of the whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from protloc.finetune.machine import Machine
from protloc.finetune.network import Classifier
from protloc.finetune.task import Task
from protloc.parallel import in_order


class Block(NamedTuple):
    """Prepared crops (images, channels, px, px), targets, masked (images, classes), factors of branches."""

    images: Tensor
    targets: Tensor
    masked: Tensor
    factors: Tensor | None


def accumulate(
    model: Classifier,
    parameters: Sequence[Tensor],
    blocks: Iterable[Block],
    batch_size: int,
    task: Task,
    machine: Machine,
) -> Tensor:
    """Set the gradient of the mean loss over a batch that comes in blocks; gives that loss, on the device.

    Blocks may be computed side by side, but are summed in their order.
    """

    def of_block(block: Block) -> tuple[Tensor, tuple[Tensor, ...]]:
        factors = None if block.factors is None else block.factors.to(machine.device)
        with machine.precision():
            logits = model(machine.placed(block.images), factors)
        loss = task.loss(logits, block.targets, block.masked).sum() / batch_size
        return loss.detach(), torch.autograd.grad(loss, parameters, materialize_grads=True)

    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    total = torch.zeros((), device=machine.device)
    for _, (loss, gradients) in in_order(of_block, blocks, workers=machine.lanes, ahead=machine.lanes):
        total += loss
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad += gradient
    return total
