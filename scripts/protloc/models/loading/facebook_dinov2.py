"""State dictionaries of facebookresearch/dinov2, with registers or blocks in chunks, under timm's names.

Registers: the class token has a position in the file, which timm adds to the token itself (timm 1.0.31:
vision_transformer.py, `checkpoint_filter_fn`). Chunks: a block is called `blocks.<chunk>.<number>`, and
numbers go through all chunks, as in Cell-DINO's files (facebookresearch/dinov2@cd6f305:
dinov2/hub/cell_dino/backbones.py:67-182). `mask_token` is left over. Source: Oquab et al. 2023.
"""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from protloc.errors import InputError
from protloc.models.loading import plain

_CHUNKED = re.compile(r"^blocks\.\d+\.(\d+)\.")


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors by timm's names; raises InputError where two blocks have one number."""
    named: dict[str, Tensor] = {}
    for name, tensor in plain.tensors(path).items():
        short = _CHUNKED.sub(r"blocks.\1.", name)
        if short in named:
            raise InputError(f"{path}: holds {short} in two chunks; which one is meant?")
        named[short] = tensor
    return _with_registers(named) if "register_tokens" in named else named


def _with_registers(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a model whose class token and registers have no position of their own."""
    renamed = named | {"reg_token": named["register_tokens"]}
    del renamed["register_tokens"]
    if "pos_embed" in named and "cls_token" in named:
        positions = named["pos_embed"]
        renamed |= {"cls_token": named["cls_token"] + positions[:, :1], "pos_embed": positions[:, 1:]}
    return renamed
