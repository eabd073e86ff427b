from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from protloc.config.backbones import Network
from protloc.config.image_sizes import check_image_size
from protloc.config.load import load_backbones
from protloc.errors import InputError
from protloc.models.folding import fold
from protloc.models.pooling import feature_name
from protloc.models.strategies import matrices
from protloc.models.weights import as_encoder, blank, build, digest

torch.set_num_threads(1)  # tests beside others' work: threads that wait for each other are slow
SMALL = {"embed_dim": 48, "depth": 5, "num_heads": 3, "dynamic_img_size": True}
VIT = {
    "kind": "network",
    "title": "test",
    "architecture": "vit_small_patch16_224",
    "options": SMALL,
    "seed": 0,
    "slots": ["red", "green", "blue"],
    "natural": {"protein": "green", "nucleus": "blue"},
    "mean": [0.4, 0.5, 0.6],
    "std": [0.2, 0.3, 0.4],
    "um_per_px": 0.4,
    "size_multiple": 16,
}
REGISTERS = {"architecture": "vit_small_patch14_reg4_dinov2", "size_multiple": 14}
DINOV3 = {
    "architecture": "vit_small_patch16_dinov3",
    "options": {"embed_dim": 96, "depth": 5, "num_heads": 3},
}
SIGLIP = {"architecture": "vit_base_patch16_siglip_224"}
NETWORKS = {"vit": {}, "registers": REGISTERS, "dinov3": DINOV3}


def network(**changes) -> Network:
    return Network.model_validate(VIT | changes)


def images(row: Network, channels: int = 3) -> torch.Tensor:
    side = row.size_multiple
    return torch.rand(2, channels, 3 * side, 5 * side, generator=torch.Generator().manual_seed(1))


def by_hand(row: Network, slots: torch.Tensor) -> list[torch.Tensor]:
    """The tokens (batch, tokens, dimension) of each block after the last norm, seen as they pass."""
    model, seen = build(row), []
    for block in model.blocks:
        block.register_forward_hook(lambda _, given, found: seen.append(model.norm(found)))
    with torch.inference_mode():
        model(slots)
    return seen


@pytest.mark.parametrize("changes", NETWORKS.values(), ids=NETWORKS)
def test_features_are_made_of_the_tokens_that_they_are_called_after(changes):
    slots = images(network(**changes))
    blocks = by_hand(network(**changes, feature="cls"), slots)
    prefix = build(network(**changes)).num_prefix_tokens
    last, mean = blocks[-1], blocks[-1][:, prefix:].mean(dim=1)
    expected = {
        "cls": last[:, 0],
        "pooled": mean,
        "cls_pooled": torch.cat([last[:, 0], mean], dim=1),
        "cls_blocks_4": torch.cat([tokens[:, 0] for tokens in blocks[-4:]], dim=1),
        "cls_blocks_2": torch.cat([tokens[:, 0] for tokens in blocks[-2:]], dim=1),
    }
    for feature, vectors in expected.items():
        model = build(network(**changes, feature=feature))
        with torch.inference_mode():
            found = model(slots)
        assert torch.allclose(found, vectors, atol=1e-5), feature
        assert model.num_features == vectors.shape[1], feature


@pytest.mark.parametrize("feature", ["cls", "pooled", "cls_pooled", "cls_blocks_4", "gated"])
@pytest.mark.parametrize("positions", ["antialiased", "dino"])
def test_a_folded_network_gives_the_same_feature(feature, positions):
    """Of the image's channels in their slots, normalized; the network that was folded is left as it was."""
    row = network(feature=feature, positions=positions)
    model, channels = build(row), images(row, 2)
    (matrix,) = matrices("map_natural", row.slots, row.natural)
    mean, std = (torch.tensor(values)[:, None, None] for values in row.moments)
    weights = torch.tensor(matrix)
    offset = weights.sum(dim=1)[:, None, None] * mean
    slots = (torch.einsum("sc,bchw->bshw", weights, channels) - offset) / std
    with torch.inference_mode():
        expected, found = model(slots), fold(model, matrix, *row.moments)(channels)
        assert torch.equal(model(slots), expected)
    assert torch.allclose(found, expected, atol=1e-5)


def test_vectors_have_names_that_say_what_they_are():
    names = {
        "cls": "class token after the last norm",
        "pooled": "global average",
        "cls_pooled": "class token and mean of the patch tokens after the last norm",
        "cls_blocks_4": "class tokens of the last 4 blocks, each after the last norm",
        "gated": "gated attention over all tokens after the last norm",
    }
    assert {feature: feature_name(build(network(feature=feature))) for feature in names} == names
    assert (
        feature_name(build(network(**SIGLIP))) == "attention pool over the patch tokens after the last norm"
    )
    assert feature_name(build(network(**SIGLIP, feature="pooled"))) == "global average"
    assert feature_name(build(network(**DINOV3, feature="cls"))) == names["cls"]


@pytest.mark.parametrize(
    ("changes", "length"),
    [
        ({"architecture": "mobilenetv3_small_050", "options": {}, "size_multiple": 32}, 1024),
        (SIGLIP, 48),
        (SIGLIP | {"feature": "pooled"}, 48),
        ({"feature": "gated"}, 96),
        ({"feature": "cls_blocks_4"}, 192),
        ({"architecture": "vit_small_patch16_224", "options": {}, "image_px": 224}, 384),
    ],
)
def test_the_length_of_vectors_is_known_before_there_are_any(changes, length):
    row = network(**changes)
    model, side = build(row), row.image_px or 96
    with torch.inference_mode():
        assert model(torch.rand(1, 3, side, side)).shape == (1, model.num_features) == (1, length)
    with torch.device("meta"):
        without = blank(row)
        as_encoder(without, row)
    assert without.num_features == length


def test_finding_the_length_changes_nothing_of_a_network():
    model = blank(network()).train()
    before = digest(model)
    as_encoder(model, network(feature="cls"))
    assert model.training and digest(model) != before  # the classifier has gone
    assert all(tensor.device.type == "cpu" and tensor.grad is None for tensor in model.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (SIGLIP | {"feature": "cls"}, "feature: VisionTransformer has no class token"),
        ({"architecture": "tf_efficientnet_lite0", "options": {}, "feature": "cls_pooled"}, "no class token"),
        ({"feature": "cls_blocks_6"}, "cls_blocks_6: VisionTransformer has 5 blocks"),
        ({"options": SMALL | {"fc_norm": True}, "feature": "cls_pooled"}, "last norm after pooling"),
        ({"architecture": "tf_efficientnet_lite0", "options": {}, "positions": "dino"}, "positions: dino"),
        (DINOV3 | {"positions": "dino"}, "positions: dino: Eva does not resample"),
        ({"options": {}}, "takes no image of 160 px .*give image_px"),
        ({"options": {}, "image_px": 256}, "takes no image of 256 px"),
        ({"architecture": "swin_tiny_patch4_window7_224", "options": {}}, "takes no image of 160 px"),
    ],
)
def test_what_a_network_cannot_do_is_refused_in_one_line(changes, message):
    with pytest.raises(InputError, match=message) as error:
        build(network(**changes))
    assert "\n" not in str(error.value)


def registry(tmp_path: Path, text: str) -> dict:
    (tmp_path / "backbones.yaml").write_text(text)
    return load_backbones(tmp_path / "backbones.yaml")


ROW = """own:
  kind: network
  title: own
  architecture: {architecture}
  seed: 0
  slots: [grey]
  natural: {{protein: grey, nucleus: grey}}
  um_per_px: 0.4
  {more}
"""


@pytest.mark.parametrize(
    "architecture", ["vit_base_patch16_224", "swin_tiny_patch4_window7_224", "deit3_base"]
)
def test_a_network_of_one_size_is_refused_when_the_registry_is_read(architecture, tmp_path):
    message = f"own.image_px: {architecture} takes images of one size; give image_px"
    with pytest.raises(InputError, match=message) as error:
        registry(tmp_path, ROW.format(architecture=architecture, more="control: true"))
    assert "\n" not in str(error.value)
    row = registry(tmp_path, ROW.format(architecture=architecture, more="image_px: 224"))["own"]
    assert (row.tile_px, row.cell.px) == (224, 224)


@pytest.mark.parametrize("more", ["image_px: 224\n  tile_px: 448", "image_px: 224\n  cell: {px: 96}"])
def test_a_network_of_one_size_leaves_no_choice_of_tiles_and_cells(more, tmp_path):
    with pytest.raises(InputError, match="image_px: 224 leaves no choice"):
        registry(tmp_path, ROW.format(architecture="vit_base_patch16_224", more=more))


@pytest.mark.parametrize(
    "architecture", ["vit_small_patch16_dinov3", "resnet50", "convnext_tiny", "repvit_m1"]
)
def test_networks_of_any_size_need_no_size(architecture):
    check_image_size("own", network(architecture=architecture, options={}))


def test_the_registry_is_read_without_torch():
    code = "import sys; from pathlib import Path; from protloc.config.load import load_backbones; "
    code += "load_backbones(Path('config/backbones.yaml')); sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
