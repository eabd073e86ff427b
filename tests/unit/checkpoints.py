"""Containers of random weights, written as the projects write them that publish such files."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from protloc.config.backbones import Network
from reference_vit import State, random_state
from safetensors.torch import save_file

WIDTHS = {"small": (384, 6), "base": (768, 12), "large": (1024, 16)}  # dimension, heads
HEAD = ("mlp.0.weight", "mlp.0.bias", "last_layer.weight_g", "last_layer.weight_v")


def backbone(path: Path, state: State) -> None:
    torch.save(state, path)


def training_run(state: State, wrapper: str) -> dict:
    """What main_dino.py saves, the teacher's names beginning with `wrapper`; the student differs."""
    head = {f"head.{name}": torch.zeros(3) for name in HEAD}
    wrapped = {f"backbone.{name}": tensor for name, tensor in state.items()} | head
    optimizer = {
        "state": {0: {"step": 4, "exp_avg": torch.zeros(3)}},
        "param_groups": [{"lr": np.float64(1e-6), "weight_decay": np.float64(0.4), "params": [0]}],
    }
    return {
        "student": {f"module.{name}": torch.zeros(1) for name in wrapped},
        "teacher": {f"{wrapper}{name}": tensor for name, tensor in wrapped.items()},
        "optimizer": optimizer,
        "epoch": 100,
        "args": Namespace(arch="vit_base", patch_size=8, global_crops_scale=(0.4, 1.0), dist_url="env://"),
        "dino_loss": {"center": torch.zeros(1, 8)},
        "fp16_scaler": {"scale": 65536.0, "growth_factor": 2.0},
    }


def full(path: Path, state: State) -> None:
    torch.save(training_run(state, ""), path)


def wrapped(path: Path, state: State) -> None:
    torch.save(training_run(state, "module."), path)


def old(path: Path, state: State) -> None:
    """As torch before 1.6 and NumPy before 2 write it: no zip archive, scalars under NumPy's older name."""
    torch.save(training_run(state, "module."), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    assert b"cnumpy.core.multiarray\nscalar\n" in path.read_bytes()


def below_key(path: Path, state: State) -> None:
    torch.save({"epoch": 3, "state_dict": state, "args": Namespace(lr=0.1)}, path)


def dinov2(path: Path, state: State) -> None:
    torch.save({"mask_token": torch.zeros(1, state["cls_token"].shape[-1]), **state}, path)


def chunked(path: Path, state: State) -> None:
    """As Cell-DINO's files have it: blocks in four chunks, numbered through."""
    depth = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    chunk = max(1, depth // 4)

    def renamed(name: str) -> str:
        return f"blocks.{int(name.split('.')[1]) // chunk}.{name[7:]}" if name.startswith("blocks.") else name

    dinov2(path, {renamed(name): tensor for name, tensor in state.items()})


def dinov3_state(width: int, depth: int, patch: int, slots: int) -> State:
    """Random weights under the names of facebookresearch/dinov3, keys without a bias."""
    state = random_state(width, depth, patch, slots, 1, scale=True, registers=4)
    state["storage_tokens"] = state.pop("register_tokens")
    del state["pos_embed"]
    for n in range(depth):
        mask = torch.ones(3, width)
        mask[1] = 0
        state[f"blocks.{n}.attn.qkv.bias_mask"] = mask.flatten()
    periods = 100 ** (torch.arange(16) / 16)
    return state | {"mask_token": torch.zeros(1, width), "rope_embed.periods": periods}


def safe(path: Path, state: State) -> None:
    save_file(state, path)


def subcell(path: Path, state: State) -> None:
    torch.save(hugging_face(state) | subcell_pool(state["cls_token"].shape[-1]), path)


def hugging_face(state: State) -> State:
    """The tensors under the names of a Hugging Face ViTModel below `encoder.`, query, key, value apart."""
    names = {"cls_token": "embeddings.cls_token", "pos_embed": "embeddings.position_embeddings"}
    parts = {
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "norm1": "layernorm_before",
        "norm2": "layernorm_after",
        "attn.proj": "attention.output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
        "norm": "layernorm",
    }
    found = {}
    for name, tensor in state.items():
        place, _, kind = name.rpartition(".")
        if name in names:
            found[f"encoder.{names[name]}"] = tensor
        elif place.startswith("blocks."):
            _, number, part = place.split(".", 2)
            layer = f"encoder.encoder.layer.{number}"
            if part == "attn.qkv":
                for one, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                    found[f"{layer}.attention.attention.{one}.{kind}"] = third.clone()
            else:
                found[f"{layer}.{parts[part]}.{kind}"] = tensor
        else:
            found[f"encoder.{parts[place]}.{kind}"] = tensor
    return found


def subcell_pool(width: int) -> State:
    draw = torch.Generator().manual_seed(9)
    shapes = {"attention_v.1": (512, width), "attention_u.1": (512, width), "attention": (2, 512)}
    state = {}
    for name, shape in shapes.items():
        state[f"pool_model.{name}.weight"] = 0.05 * torch.randn(shape, generator=draw)
        state[f"pool_model.{name}.bias"] = 0.05 * torch.randn(shape[0], generator=draw)
    return state


def like_published(name: str, row: Network, path: Path, depth: int) -> tuple[State, int]:
    """Write random weights as those of a row of the registry are published; the state, and its heads."""
    size, patch = row.architecture.split("_")[1], int(row.architecture.split("patch")[1].split("_")[0])
    width, heads = WIDTHS[size]
    grid = row.options.get("img_size", 518 if "dinov2" in row.architecture else 224) // patch
    scale, registers = "dinov2" in row.architecture, 4 * ("reg4" in row.architecture)
    state = random_state(width, depth, patch, len(row.slots), grid, scale=scale, registers=registers)
    writers = {"facebook_dino": backbone, "facebook_dinov2": dinov2, "dino4cells": wrapped}
    (writers | {"subcell": subcell, "safetensors": safe})[row.layout](path, state)
    return state, heads


class Malicious:
    """Makes a file when it is unpickled without care."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.proof}",)
