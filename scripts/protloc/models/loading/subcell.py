"""SubCell's encoders: a ViT with Hugging Face's names, and the gated attention that pools its tokens.

Names as third-party loaders of the published files expect them: `encoder.*` of a ViTModel without pooler and
`pool_model.*`. Source: Gupta et al. 2024, czi-ai/sub-cell-embed.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from protloc.models.loading import hugging_face
from protloc.models.loading.reading import only_tensors, read_pickle


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors by timm's names, query, key and value of a block as one; the pool's are `attn_pool.*`."""
    found = only_tensors(read_pickle(path), path)
    return hugging_face.with_joined_attention({renamed(name): tensor for name, tensor in found.items()})


def renamed(name: str) -> str:
    """The name of a tensor in timm; one that is not known stays, and is refused as left over."""
    if name.startswith("pool_model."):
        return name.replace("pool_model.", "attn_pool.", 1)
    short = name.removeprefix("encoder.")
    known = hugging_face.renamed(short)
    return name if short in (name, known) else known
