"""State dictionaries of facebookresearch/dinov3, under the names of timm's Eva with a bias of its own.

The published biases of keys are masked to zero (`bias_mask`), and timm has none; what remains of `qkv.bias`
is `q_bias` and `v_bias`, which the architectures called `..._dinov3_qkvb` have. Rotary frequencies
(`rope_embed.periods`) are computed from the architecture, `mask_token` serves pretraining alone: both are
left over. Source: Siméoni et al. 2025; timm 1.0.31: eva.py, `checkpoint_filter_fn`.
"""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from protloc.errors import InputError
from protloc.models.loading import plain

RENAMES = ((r"^storage_tokens$", "reg_token"), (r"\.ls1\.gamma$", ".gamma_1"), (r"\.ls2\.gamma$", ".gamma_2"))
BIAS, MASK = ".attn.qkv.bias", ".attn.qkv.bias_mask"


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors by timm's names; raises InputError for a bias of keys that no mask takes away."""
    given = plain.tensors(path)
    named: dict[str, Tensor] = {}
    for name, tensor in given.items():
        if name.endswith(BIAS):
            named |= _biases(name.removesuffix("qkv.bias"), tensor, given, path)
        elif not (name.endswith(MASK) and name.removesuffix("_mask") in given):
            named[_renamed(name)] = tensor
    return named


def _biases(place: str, bias: Tensor, given: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """What of a bias of query, key and value timm has."""
    query, key, value = bias.chunk(3)
    if f"{place}qkv.bias_mask" not in given and key.any():
        raise InputError(f"{path}: {place}qkv.bias moves keys, which {path.name}'s layout does not allow for")
    return {f"{place}q_bias": query, f"{place}v_bias": value}


def _renamed(name: str) -> str:
    for pattern, replacement in RENAMES:
        name = re.sub(pattern, replacement, name)
    return name
