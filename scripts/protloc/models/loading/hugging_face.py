"""Hugging Face's names for the tensors of a vision transformer, as timm's.

Names of `ViTModel` and `Dinov2Model` in the library transformers.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

# Hugging Face's names, in this order, as timm's.
RENAMES = (
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^encoder\.layer\.(\d+)\.", r"blocks.\1."),
    (r"^(blocks\.\d+)\.layernorm_before\.", r"\1.norm1."),
    (r"^(blocks\.\d+)\.layernorm_after\.", r"\1.norm2."),
    (r"^(blocks\.\d+)\.attention\.output\.dense\.", r"\1.attn.proj."),
    (r"^(blocks\.\d+)\.intermediate\.dense\.", r"\1.mlp.fc1."),
    (r"^(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"^(blocks\.\d+)\.layer_scale([12])\.lambda1$", r"\1.ls\2.gamma"),
    (r"^layernorm\.", "norm."),
)
_QUERY = re.compile(r"^(blocks\.\d+)\.attention\.attention\.query\.(weight|bias)$")


def renamed(name: str) -> str:
    """The name of a tensor in timm; one that is not known stays, and is refused as left over."""
    for pattern, replacement in RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


def with_joined_attention(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with query, key and value of a block stacked into one, as timm has them."""
    joined = dict(named)
    for name in filter(_QUERY.match, named):
        parts = [name.replace("query", part) for part in ("query", "key", "value")]
        if all(part in named for part in parts):
            joined[_QUERY.sub(r"\1.attn.qkv.\2", name)] = torch.cat([joined.pop(part) for part in parts])
    return joined
