"""A vision transformer written out from its equations, without timm: what loading is checked against.

Dosovitskiy et al. 2021, eqs. 1-4; LayerScale as in Touvron et al. 2021, eq. 3; the resampling of positions as
Caron et al. 2021 have it; gated attention as in Ilse et al. 2018, eq. 9; registers as in Darcet et al. 2023;
rotary positions as in Siméoni et al. 2025. Tensors have the names of facebookresearch/dino, dinov2, dinov3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

State = dict[str, Tensor]


def random_state(
    width: int, depth: int, patch: int, slots: int, grid: int, *, scale: bool = False, registers: int = 0
) -> State:
    """Weights that leave no part without effect: norms and biases are random too."""
    draw = torch.Generator().manual_seed(1000 * width + 10 * patch + depth)
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + grid * grid, width),
        "patch_embed.proj.weight": (width, slots, patch, patch),
        "patch_embed.proj.bias": (width,),
    }
    for n in range(depth):
        block = {"norm1": (width,), "norm2": (width,), "attn.qkv": (3 * width, width)}
        block |= {"attn.proj": (width, width), "mlp.fc1": (4 * width, width), "mlp.fc2": (width, 4 * width)}
        for name, shape in block.items():
            shapes |= {f"blocks.{n}.{name}.weight": shape, f"blocks.{n}.{name}.bias": shape[:1]}
        if scale:
            shapes |= {f"blocks.{n}.ls1.gamma": (width,), f"blocks.{n}.ls2.gamma": (width,)}
    shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    if registers:
        shapes["register_tokens"] = (1, registers, width)
    state = {name: 0.05 * torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    for name in state:
        if ("norm" in name and name.endswith("weight")) or name.endswith("gamma"):
            state[name] += 1
    return state


def forward(
    state: State, images: Tensor, heads: int, eps: float = 1e-6, blocks: int = 1, resampled: str = "dino"
) -> Tensor:
    """All tokens (batch, tokens, blocks * width) after the last norm, in float64, for normalized slots.

    Those of the last `blocks` blocks, the last one's at the end.
    """
    p = {name: tensor.double() for name, tensor in state.items()}
    kernel = p["patch_embed.proj.weight"]
    width, _, patch, _ = kernel.shape
    batch, _, height, breadth = images.shape
    rows, columns = height // patch, breadth // patch
    cut = images.double().unfold(2, patch, patch).unfold(3, patch, patch).permute(0, 2, 3, 1, 4, 5)
    patches = cut.reshape(batch, rows * columns, -1) @ kernel.reshape(width, -1).T
    patches = patches + p["patch_embed.proj.bias"]
    z = torch.cat([p["cls_token"].expand(batch, 1, width), patches], dim=1)
    z = z + positions(p["pos_embed"], rows, columns, resampled)
    if "register_tokens" in p:
        z = torch.cat([z[:, :1], p["register_tokens"].expand(batch, -1, -1), z[:, 1:]], dim=1)
    seen = []
    for n in range(1 + max(int(name.split(".")[1]) for name in p if name.startswith("blocks."))):
        block = {k.removeprefix(f"blocks.{n}."): v for k, v in p.items() if k.startswith(f"blocks.{n}.")}
        z = z + attention(norm(z, block, "norm1", eps), block, heads) * block.get("ls1.gamma", 1)
        z = z + perceptron(norm(z, block, "norm2", eps), block) * block.get("ls2.gamma", 1)
        seen.append(norm(z, p, "norm", eps))
    return torch.cat(seen[-blocks:], dim=2)


def norm(z: Tensor, p: State, name: str, eps: float) -> Tensor:
    centred = z - z.mean(dim=-1, keepdim=True)
    spread = (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    return centred / spread * p[f"{name}.weight"] + p[f"{name}.bias"]


def attention(z: Tensor, p: State, heads: int, angles: Tensor | None = None) -> Tensor:
    batch, tokens, width = z.shape
    mixed = (z @ p["attn.qkv.weight"].T + p["attn.qkv.bias"]).reshape(batch, tokens, 3, heads, width // heads)
    q, k, v = mixed.permute(2, 0, 3, 1, 4)
    if angles is not None:
        q, k = turned(q, angles), turned(k, angles)
    scores = q @ k.transpose(-1, -2) / math.sqrt(width // heads)
    shares = torch.exp(scores - scores.amax(dim=-1, keepdim=True))
    out = (shares / shares.sum(dim=-1, keepdim=True)) @ v
    return out.transpose(1, 2).reshape(batch, tokens, width) @ p["attn.proj.weight"].T + p["attn.proj.bias"]


def perceptron(z: Tensor, p: State) -> Tensor:
    hidden = z @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"]
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    return hidden @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


def positions(embedding: Tensor, rows: int, columns: int, resampled: str = "dino") -> Tensor:
    """Position embeddings for a grid, bicubic: by DINO's factors, 0.1 patch too large, or to the size."""
    grid = math.isqrt(embedding.shape[1] - 1)
    if (rows, columns) == (grid, grid):
        return embedding
    factors = ((rows + 0.1) / grid, (columns + 0.1) / grid)
    square = embedding[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    how = {
        "dino": {"scale_factor": factors},
        "bicubic": {"size": (rows, columns)},
        "antialiased": {"size": (rows, columns), "antialias": True},
    }[resampled]
    found = interpolate(square, **how, mode="bicubic", align_corners=False)
    return torch.cat([embedding[:, :1], found.permute(0, 2, 3, 1).reshape(1, rows * columns, -1)], dim=1)


def gated_pool(tokens: Tensor, p: State) -> Tensor:
    """SubCell's pooled vector (batch, heads * width) of tokens, for the tensors `pool_model.*`."""
    p = {name.removeprefix("pool_model."): tensor.double() for name, tensor in p.items()}
    v = torch.tanh(tokens @ p["attention_v.1.weight"].T + p["attention_v.1.bias"])
    u = tokens @ p["attention_u.1.weight"].T + p["attention_u.1.bias"]
    u = u * (1 + torch.erf(u / math.sqrt(2))) / 2
    scores = (v * u) @ p["attention.weight"].T + p["attention.bias"]
    shares = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
    return torch.cat([(shares[..., [h]] * tokens).sum(dim=1) for h in range(shares.shape[-1])], dim=1)


def forward_dinov3(state: State, images: Tensor, heads: int, eps: float = 1e-5) -> Tensor:
    """All tokens (batch, 1 + storage tokens + patches, width) of DINOv3 after its last norm, in float64."""
    p = {name: tensor.double() for name, tensor in state.items()}
    kernel = p["patch_embed.proj.weight"]
    width, _, patch, _ = kernel.shape
    batch, _, height, breadth = images.shape
    rows, columns = height // patch, breadth // patch
    cut = images.double().unfold(2, patch, patch).unfold(3, patch, patch).permute(0, 2, 3, 1, 4, 5)
    patches = cut.reshape(batch, rows * columns, -1) @ kernel.reshape(width, -1).T
    first = torch.cat([p["cls_token"], p["storage_tokens"]], dim=1).expand(batch, -1, -1)
    z = torch.cat([first, patches + p["patch_embed.proj.bias"]], dim=1)
    turns = rotary_angles(rows, columns, width // heads)
    for n in range(1 + max(int(name.split(".")[1]) for name in p if name.startswith("blocks."))):
        block = {k.removeprefix(f"blocks.{n}."): v for k, v in p.items() if k.startswith(f"blocks.{n}.")}
        block["attn.qkv.bias"] = block["attn.qkv.bias"] * block["attn.qkv.bias_mask"]
        z = z + attention(norm(z, block, "norm1", eps), block, heads, turns) * block["ls1.gamma"]
        z = z + perceptron(norm(z, block, "norm2", eps), block) * block["ls2.gamma"]
    return norm(z, p, "norm", eps)


def rotary_angles(rows: int, columns: int, width: int) -> Tensor:
    """Angles (patches, width / 2): a quarter of the width turns with the row, one with the column.

    Patches' middles go from -1 to 1 along each axis; periods are 100 to the power of 4 k / width.
    """
    middles = [(2 * torch.arange(n, dtype=torch.float64) + 1) / n - 1 for n in (rows, columns)]
    places = torch.stack(torch.meshgrid(*middles, indexing="ij"), dim=-1).reshape(rows * columns, 2)
    periods = 100 ** (4 * torch.arange(width // 4, dtype=torch.float64) / width)
    return (2 * math.pi * places[:, :, None] / periods).flatten(1)


def turned(z: Tensor, angles: Tensor) -> Tensor:
    """The last tokens of z (batch, heads, tokens, width), turned by angles in pairs half a width apart."""
    first, last = z[..., : -len(angles), :], z[..., -len(angles) :, :]
    one, other = last.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first, torch.cat([one * cos - other * sin, other * cos + one * sin], dim=-1)], dim=-2)
