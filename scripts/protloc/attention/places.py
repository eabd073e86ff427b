"""Where in an image a network's vector comes from: a value for each place, be it a patch or a feature."""

from __future__ import annotations

import copy
from itertools import chain

from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from protloc.models.pooling import ClassAndMean, GatedPool


class NoMap(Exception):
    """Why a model has no map."""


def kind_of(model: nn.Module) -> str:
    """What can be shown of a model: `class_token`, `pool` or `similarity`.

    class_token: how much the class token, which is the vector or a part of it, attends to each patch in the
    last block. pool: the weight that gated attention gives each patch. similarity: all else that
    has an average over places as its vector. Raises NoMap where the vector is none of these.
    """
    pool = getattr(model, "attn_pool", None)
    if isinstance(pool, GatedPool):
        return "pool"
    if pool is not None and not isinstance(pool, ClassAndMean):
        raise NoMap("its vector is made by an attention pool, and timm does not return the weights")
    if getattr(model, "global_pool", None) != "token":
        return "similarity"
    if not (isinstance(model, VisionTransformer) and all(isinstance(block, Block) for block in model.blocks)):
        raise NoMap(f"its vector is the class token of {type(model).__name__}, which returns no attention")
    return "class_token"


def before_last_block(model: VisionTransformer) -> nn.Module:
    """A copy of the model, sharing its weights, whose features are the tokens that enter the last block."""
    shared = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    shorter = copy.deepcopy(model, shared)
    shorter.blocks, shorter.norm = shorter.blocks[:-1], nn.Identity()
    vars(shorter).pop("forward_features", None)  # that of a feature of several blocks
    return shorter


def class_token_attention(model: VisionTransformer, shorter: nn.Module, images: Tensor) -> Tensor:
    """Attention of the class token on each patch in the last block, the mean of its heads: (height, width).

    In multiples of what even attention to all tokens would give. `shorter` is `before_last_block(model)`.
    """
    block = model.blocks[-1]
    tokens = block.norm1(shorter.forward_features(images))
    attention = block.attn
    count = tokens.shape[1]
    query, key, _ = (
        attention.qkv(tokens).reshape(count, 3, attention.num_heads, -1).permute(1, 2, 0, 3).unbind()
    )  # each (heads, tokens, dimension)
    query, key = attention.q_norm(query[:, :1]), attention.k_norm(key)
    weights = (attention.scale * query @ key.transpose(1, 2)).softmax(dim=-1)
    return _on_grid(model, images, count * weights[:, 0].mean(dim=0))


def pool_attention(model: nn.Module, images: Tensor) -> Tensor:
    """Weight of each patch in the gated pool, the mean of its heads: (height, width), 1 where it is even."""
    weights = model.attn_pool.weights(model.forward_features(images))[0].mean(dim=1)
    return _on_grid(model, images, len(weights) * weights)


def features_and_vector(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Features of the places, (dimension, height, width), and the vector that the model makes of them.

    A model whose head changes their dimension is compared with their mean instead.
    """
    found = model.forward_features(images)
    vector = model.forward_head(found)[0]
    features = found[0] if found.ndim == 4 else _on_grid(model, images, found[0]).permute(2, 0, 1)
    if len(features) != len(vector) and features.shape[-1] == len(vector):  # channels last, as Swin has them
        features = features.permute(2, 0, 1)
    if len(features) != len(vector):
        vector = features.mean(dim=(1, 2))
    return features, vector


def similarity(features: Tensor, vector: Tensor) -> Tensor:
    """Cosine of each place (dimension, height, width) to the vector (dimension): (height, width)."""
    return cosine_similarity(features, vector[:, None, None], dim=0)


def _on_grid(model: nn.Module, images: Tensor, of_tokens: Tensor) -> Tensor:
    """What is known of tokens (tokens, …) as (height, width, …) of the patches alone."""
    embedding = getattr(model, "patch_embed", None)
    if not hasattr(embedding, "dynamic_feat_size"):
        raise NoMap(f"{type(model).__name__} does not say where its tokens lie")
    height, width = embedding.dynamic_feat_size(tuple(images.shape[-2:]))
    patches = of_tokens[getattr(model, "num_prefix_tokens", 0) :]
    if len(patches) != height * width:
        raise NoMap(f"{type(model).__name__} has {len(patches)} tokens for {height} x {width} patches")
    return patches.reshape(height, width, *patches.shape[1:])
