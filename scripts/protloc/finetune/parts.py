"""What of a network learns, by mode; the rest keeps its weights to the bit."""

from __future__ import annotations

from torch import nn

from protloc.config.settings import Finetune
from protloc.errors import InputError
from protloc.finetune.low_rank import LowRank, add_adapters

STACKS = ("blocks", "stages")


def full(model: nn.Module, settings: Finetune, seed: int) -> None:
    """All of the network learns."""
    model.requires_grad_(True)


def last_n_blocks(model: nn.Module, settings: Finetune, seed: int) -> None:
    """The last blocks of a transformer, or stages of a convolutional network, and what follows them."""
    names = [name for name, _ in model.named_children()]
    stack = next((name for name in STACKS if name in names), None)
    if stack is None:
        raise InputError(
            f"finetune.mode: last_n_blocks: {type(model).__name__} has neither of {', '.join(STACKS)}; "
            "use full, or leave it out of finetune.backbones"
        )
    blocks = getattr(model, stack)
    if settings.n_blocks > len(blocks):
        raise InputError(
            f"finetune.n_blocks: {settings.n_blocks} is more than the {len(blocks)} {stack} of "
            f"{type(model).__name__}; lower it"
        )
    model.requires_grad_(False)
    following = [getattr(model, name) for name in names[names.index(stack) + 1 :]]
    for part in (*list(blocks)[-settings.n_blocks :], *following):
        part.requires_grad_(True)


def low_rank(model: nn.Module, settings: Finetune, seed: int) -> None:
    """Adapters beside the attention's matrices alone."""
    model.requires_grad_(False)
    add_adapters(model, settings.rank, settings.alpha, seed)
    for module in model.modules():
        if isinstance(module, LowRank):
            module.down.requires_grad_(True)
            module.up.requires_grad_(True)


MODES = {function.__name__: function for function in (full, last_n_blocks, low_rank)}
