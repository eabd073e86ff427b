"""What a network's vector is: its class token, an average, or SubCell's gated attention over all tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from protloc.errors import InputError


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
        self.out_dim = heads * dimension

    def forward(self, tokens: Tensor) -> Tensor:
        """Weighted means of the tokens, the heads' one after the other."""
        return torch.einsum("bth,btd->bhd", self.weights(tokens), tokens).flatten(start_dim=1)

    def weights(self, tokens: Tensor) -> Tensor:
        """What each token counts, (batch, tokens, heads), a sum of 1 over tokens."""
        return self.attention(self.attention_v(tokens) * self.attention_u(tokens)).softmax(dim=1)


def set_feature(model: nn.Module, feature: str | None) -> None:
    """Make a timm model, its classifier taken off, give the feature of its row (None: what it gives anyhow).

    `pooled` of a ViT is the mean of its patch tokens after the last norm. Raises InputError for a model that
    has no class token.
    """
    if feature == "cls" and not getattr(model, "has_class_token", False):
        raise InputError(f"config/backbones.yaml: feature: {type(model).__name__} has no class token: pooled")
    pool = {"cls": "token", "pooled": "avg"}.get(feature)
    model.reset_classifier(0, pool) if pool else model.reset_classifier(0)


def add_gated_pool(model: nn.Module) -> None:
    """Make a ViT pool all its tokens, the class token among them, by gated attention."""
    model.attn_pool = GatedPool(model.embed_dim)
    model.pool_include_prefix = True
    model.num_features = model.attn_pool.out_dim


def feature_name(model: nn.Module) -> str:
    """What the model's vectors are, in words."""
    if isinstance(getattr(model, "attn_pool", None), GatedPool):
        return "gated attention over all tokens after the last norm"
    token = getattr(model, "global_pool", None) == "token"
    return "class token after the last norm" if token else "global average"
