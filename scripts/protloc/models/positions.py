"""Position embeddings for other image sizes than that of pretraining, resampled as a network's authors do it.

timm's bicubic kernel is antialiased. Those of facebookresearch/dino (7c446df: vision_transformer.py:184-191)
and facebookresearch/dinov2 (b8931f7: models/vision_transformer.py:195-209) are not, and take a factor that is
meant for 0.1 patches more than there are; DINOv2 with registers does what timm does (its
hub/backbones.py:106-108). SubCell does what Hugging Face does (transformers 4.45.1: neither antialiasing nor
0.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MethodType

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import interpolate

from protloc.errors import InputError

SURPLUS = {"bicubic": 0.0, "dino": 0.1}  # patches


def set_positions(model: nn.Module, positions: str) -> None:
    """Make a timm ViT resample its position embeddings as its row says.

    Raises InputError for a model that has none to resample otherwise than timm does.
    """
    if positions == "antialiased":
        return
    if not isinstance(model, VisionTransformer) or model.pos_embed is None or not model.dynamic_img_size:
        raise InputError(
            f"config/backbones.yaml: positions: {positions}: {type(model).__name__} does not resample "
            "position embeddings; leave it out, or give a ViT options: {dynamic_img_size: true}"
        )
    model.position_surplus = SURPLUS[positions]
    model._pos_embed = MethodType(_add_positions, model)


def _add_positions(model: VisionTransformer, patches: Tensor) -> Tensor:
    """Tokens (batch, prefix + rows * columns, dimension) of patches (batch, rows, columns, dimension)."""
    batch, rows, columns, _ = patches.shape
    prefix = 0 if model.no_embed_class else model.num_prefix_tokens
    grid = model.patch_embed.grid_size
    positions = resample(model.pos_embed, grid, (rows, columns), prefix, model.position_surplus)
    tokens = patches.flatten(1, 2) + positions[:, prefix:]
    first = [token.expand(batch, -1, -1) for token in (model.cls_token, model.reg_token) if token is not None]
    if first:
        ahead = torch.cat(first, dim=1)
        tokens = torch.cat([ahead + positions[:, :prefix] if prefix else ahead, tokens], dim=1)
    return model.pos_drop(tokens)


def resample(
    positions: Tensor, grid: Sequence[int], new: Sequence[int], prefix: int, surplus: float
) -> Tensor:
    """Embeddings (1, prefix + places, dimension) of a grid for a new one; those of prefix tokens stay."""
    if tuple(grid) == tuple(new):
        return positions
    square = positions[:, prefix:].reshape(1, *grid, -1).permute(0, 3, 1, 2)
    size = {"size": tuple(new)}
    if surplus:
        size = {"scale_factor": tuple((side + surplus) / old for side, old in zip(new, grid, strict=True))}
    resampled = interpolate(square, **size, mode="bicubic", align_corners=False)
    return torch.cat([positions[:, :prefix], resampled.flatten(2).transpose(1, 2)], dim=1)
