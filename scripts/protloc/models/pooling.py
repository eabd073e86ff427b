"""What a network's vector is: class tokens, an average, both, or attention over all tokens."""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from protloc.errors import InputError

BLOCKS = "cls_blocks_"
WHERE = "config/backbones.yaml: feature"


class GatedPool(nn.Module):
    """Vectors (batch, heads * dimension) of tokens (batch, tokens, dimension): one weighted mean per head.

    The weights are a softmax over tokens of `attention(tanh(V x) * gelu(U x))` (Ilse et al. 2018, as SubCell
    has it). A layer's number is its place in SubCell's own module, whose first one is a dropout.
    """

    def __init__(self, dimension: int, hidden: int = 512, heads: int = 2) -> None:
        super().__init__()
        self.attention_v = nn.Sequential(nn.Identity(), nn.Linear(dimension, hidden), nn.Tanh())
        self.attention_u = nn.Sequential(nn.Identity(), nn.Linear(dimension, hidden), nn.GELU())
        self.attention = nn.Linear(hidden, heads)

    def forward(self, tokens: Tensor) -> Tensor:
        """Weighted means of the tokens, the heads' one after the other."""
        return torch.einsum("bth,btd->bhd", self.weights(tokens), tokens).flatten(start_dim=1)

    def weights(self, tokens: Tensor) -> Tensor:
        """What each token counts, (batch, tokens, heads), a sum of 1 over tokens."""
        return self.attention(self.attention_v(tokens) * self.attention_u(tokens)).softmax(dim=1)


class ClassAndMean(nn.Module):
    """Vectors (batch, 2 * dimension) of tokens (batch, tokens, dimension): class token, mean of patches.

    As DINO evaluates its ViT-B, which has them interleaved (facebookresearch/dino@7c446df:
    eval_linear.py:256-260); no classifier or neighbour sees the order.
    """

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.prefix = prefix

    def forward(self, tokens: Tensor) -> Tensor:
        """The first token and the mean of those after the prefix, concatenated."""
        return torch.cat([tokens[:, 0], tokens[:, self.prefix :].mean(dim=1)], dim=1)


def set_feature(model: nn.Module, feature: str | None) -> None:
    """Make a timm model, its classifier taken off, give the feature of its row (None: what it gives anyhow).

    `pooled` of a ViT is the mean of its patch tokens after the last norm. Raises InputError for a model that
    has no class token, too few blocks, or no norm before its pooling.
    """
    class_token = feature is not None and feature.startswith("cls")
    if class_token and getattr(model, "cls_token", None) is None:
        raise InputError(f"{WHERE}: {type(model).__name__} has no class token: pooled")
    pool = "token" if class_token else {"pooled": "avg", "gated": "avg"}.get(feature)
    model.reset_classifier(0, pool) if pool else model.reset_classifier(0)
    if feature == "gated":
        add_gated_pool(model)
    elif feature == "cls_pooled":
        _check_norm(model, feature)
        _pool_by(model, ClassAndMean(model.num_prefix_tokens))
    elif class_token and feature.startswith(BLOCKS):
        _check_norm(model, feature)
        _keep_blocks(model, int(feature.removeprefix(BLOCKS)))


def add_gated_pool(model: nn.Module) -> None:
    """Make a ViT pool all its tokens, the class token among them, by gated attention."""
    _pool_by(model, GatedPool(model.embed_dim))


def _pool_by(model: nn.Module, pool: nn.Module) -> None:
    model.attn_pool = pool
    model.pool_include_prefix = True


def _check_norm(model: nn.Module, feature: str) -> None:
    if isinstance(getattr(model, "norm", None), nn.Identity):
        raise InputError(f"{WHERE}: {feature}: {type(model).__name__} has its last norm after pooling: cls")


def _keep_blocks(model: nn.Module, count: int) -> None:
    """Make the features of a ViT those of its last blocks, so that its class token is all of theirs."""
    if count > len(model.blocks):
        raise InputError(f"{WHERE}: {BLOCKS}{count}: {type(model).__name__} has {len(model.blocks)} blocks")
    model.feature_blocks = count
    model.forward_features = MethodType(_features_of_blocks, model)


def _features_of_blocks(model: nn.Module, images: Tensor, **_: Any) -> Tensor:
    """Tokens (batch, tokens, blocks * dimension), each block's through the last norm.

    As DINO and DINOv2 evaluate (facebookresearch/dino@7c446df: vision_transformer.py:225-233,
    facebookresearch/dinov2@b8931f7: dinov2/eval/linear.py:145).
    """
    found = model.forward_intermediates(
        images,
        model.feature_blocks,
        return_prefix_tokens=True,
        norm=True,
        output_fmt="NLC",
        intermediates_only=True,
    )
    return torch.cat([torch.cat([prefix, patches], dim=1) for patches, prefix in found], dim=2)


def feature_name(model: nn.Module) -> str:
    """What the model's vectors are, in words."""
    pool, blocks = getattr(model, "attn_pool", None), getattr(model, "feature_blocks", 1)
    if isinstance(pool, GatedPool):
        return "gated attention over all tokens after the last norm"
    if isinstance(pool, ClassAndMean):
        return "class token and mean of the patch tokens after the last norm"
    if pool is not None:
        return "attention pool over the patch tokens after the last norm"
    if blocks > 1:
        return f"class tokens of the last {blocks} blocks, each after the last norm"
    token = getattr(model, "global_pool", None) == "token"
    return "class token after the last norm" if token else "global average"
