"""SubCell's encoders: a ViT with Hugging Face's names, and the gated attention that pools its tokens.

Names as third-party loaders of the published files expect them: `encoder.*` of a ViTModel without pooler and
`pool_model.*`. Source: Gupta et al. 2024, czi-ai/sub-cell-embed.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from protloc.models.loading.reading import only_tensors, read_pickle

# Hugging Face's names, in this order, as timm's.
RENAMES = (
    (r"^encoder\.embeddings\.cls_token$", "cls_token"),
    (r"^encoder\.embeddings\.position_embeddings$", "pos_embed"),
    (r"^encoder\.embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^encoder\.encoder\.layer\.(\d+)\.", r"blocks.\1."),
    (r"^(blocks\.\d+)\.layernorm_before\.", r"\1.norm1."),
    (r"^(blocks\.\d+)\.layernorm_after\.", r"\1.norm2."),
    (r"^(blocks\.\d+)\.attention\.output\.dense\.", r"\1.attn.proj."),
    (r"^(blocks\.\d+)\.intermediate\.dense\.", r"\1.mlp.fc1."),
    (r"^(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"^encoder\.layernorm\.", "norm."),
    (r"^pool_model\.", "attn_pool."),
)
_QUERY = re.compile(r"^(blocks\.\d+)\.attention\.attention\.query\.(weight|bias)$")


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors by timm's names, query, key and value of a block as one; the pool's are `attn_pool.*`."""
    named = {renamed(name): tensor for name, tensor in only_tensors(read_pickle(path), path).items()}
    for name in [name for name in named if _QUERY.match(name)]:
        parts = [name.replace("query", part) for part in ("query", "key", "value")]
        if all(part in named for part in parts):
            merged = _QUERY.sub(r"\1.attn.qkv.\2", name)
            named[merged] = torch.cat([named.pop(part) for part in parts])
    return named


def renamed(name: str) -> str:
    """The name of a tensor in timm; one that is not known stays, and is refused as left over."""
    for pattern, replacement in RENAMES:
        name = re.sub(pattern, replacement, name)
    return name
