from __future__ import annotations

import pickle
from argparse import Namespace
from pathlib import Path

import checkpoints
import pytest
import torch
from protloc.config.backbones import PACKAGED, Network
from protloc.config.load import load_backbones
from protloc.config.sources import read_sources
from protloc.errors import InputError
from protloc.models.loading.fit import LAYOUTS
from protloc.models.weights import build
from protloc.modules import SCRIPTS
from reference_vit import forward, forward_dinov3, gated_pool, random_state

torch.set_num_threads(1)  # tests beside others' work: threads that wait for each other are slow
REGISTRY = load_backbones(SCRIPTS.parent / "config/backbones.yaml")
README = SCRIPTS.parent / "README.md"
PUBLISHED = {
    name: row
    for name, row in REGISTRY.items()
    if isinstance(row, Network) and row.weights in read_sources() and "siglip" not in row.architecture
}
SMALL = {
    "kind": "network",
    "title": "test",
    "architecture": "vit_small_patch16_224",
    "options": {"embed_dim": 48, "depth": 2, "num_heads": 3, "dynamic_img_size": True},
    "slots": ["microtubules", "protein", "nucleus", "er"],
    "natural": {"protein": "protein", "nucleus": "nucleus"},
    "um_per_px": 0.4,
    "size_multiple": 16,
}


def images(slots: int, *size: int) -> torch.Tensor:
    return torch.randn(1, slots, *size, generator=torch.Generator().manual_seed(5))


def small(path: Path, layout: str, **changes) -> Network:
    return Network.model_validate(SMALL | {"weights": str(path), "layout": layout} | changes)


def small_state() -> dict[str, torch.Tensor]:
    return random_state(48, 2, 16, 4, 14)


def published(name: str, path: Path, depth: int) -> tuple[Network, dict[str, torch.Tensor], int]:
    """A row of the registry with random weights in its container, cut to `depth` blocks."""
    row = PUBLISHED[name]
    state, heads = checkpoints.like_published(name, row, path, depth)
    options = row.options | ({"depth": depth} if depth < 12 or "large" in row.architecture else {})
    return row.model_copy(update={"weights": str(path), "options": options}), state, heads


def expected_of(
    row: Network, state: dict[str, torch.Tensor], slots: torch.Tensor, heads: int
) -> torch.Tensor:
    """The vectors of a row by the equations, its positions resampled as it says."""
    blocks = 4 if row.feature == "cls_blocks_4" else 1
    tokens = forward(state, slots, heads, row.norm_eps or 1e-6, blocks, row.positions)
    if row.feature == "gated":
        return gated_pool(tokens, checkpoints.subcell_pool(tokens.shape[-1]))
    mean = [tokens[:, 1:].mean(dim=1)] if row.feature == "cls_pooled" else []
    return torch.cat([tokens[:, 0], *mean], dim=1)


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_row_gives_what_the_published_equations_give(name, tmp_path):
    """At the size that the positions are for, and at one that they are resampled for."""
    depth = 12 if name == "imagenet_dino_vits16" else 4 if PUBLISHED[name].feature == "cls_blocks_4" else 1
    row, state, heads = published(name, tmp_path / "file.pth", depth)
    model, patch = build(row), row.size_multiple
    (tmp_path / "file.pth").unlink()
    side = model.patch_embed.img_size[0]
    for size in ((side, side), (5 * patch, 7 * patch)):
        slots = images(len(row.slots), *size)
        with torch.inference_mode():
            found = model(slots)
        expected = expected_of(row, state, slots, heads)
        assert found.shape == expected.shape == (1, model.num_features)
        assert (found - expected).abs().max() < 2e-5


@pytest.mark.slow
def test_the_largest_row_at_full_depth(tmp_path):
    row, state, heads = published("hpa_fov_dino", tmp_path / "file.pth", 12)
    assert state["pos_embed"].shape[1] == 785
    slots = images(4, 224, 224)
    with torch.inference_mode():
        found = build(row)(slots)
    (tmp_path / "file.pth").unlink()
    assert (found - forward(state, slots, heads)[:, 0]).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("layout", "write", "changes"),
    [
        ("facebook_dino", checkpoints.backbone, {}),
        ("facebook_dino", checkpoints.full, {"ignore": ["head."]}),
        ("dino4cells", checkpoints.full, {"ignore": ["head."]}),
        ("dino4cells", checkpoints.wrapped, {"ignore": ["head."]}),
        ("dino4cells", checkpoints.old, {"ignore": ["head."]}),
        ("plain", checkpoints.backbone, {}),
        ("plain", checkpoints.below_key, {}),
        ("safetensors", checkpoints.safe, {}),
        ("subcell", checkpoints.subcell, {"ignore": ["attn_pool."]}),
        ("facebook_dinov2", checkpoints.dinov2, {"ignore": ["mask_token"]}),
        ("facebook_dinov2", checkpoints.chunked, {"ignore": ["mask_token"]}),
    ],
)
def test_each_container_gives_the_same_vectors(layout, write, changes, tmp_path):
    state = small_state()
    write(tmp_path / "file", state)
    with torch.inference_mode():
        found = build(small(tmp_path / "file", layout, **changes))(images(4, 224, 224))
    assert (found - forward(state, images(4, 224, 224), 3)[:, 0]).abs().max() < 1e-5


def test_a_declared_prefix_is_taken_off(tmp_path):
    state = small_state()
    checkpoints.safe(tmp_path / "file", {f"model.vit.{name}": tensor for name, tensor in state.items()})
    model = build(small(tmp_path / "file", "safetensors", prefix="model.vit."))
    assert torch.equal(model.norm.weight, state["norm.weight"])


def test_the_mean_of_the_patch_tokens_is_a_feature_too(tmp_path):
    checkpoints.backbone(tmp_path / "file", small_state())
    with torch.inference_mode():
        found = build(small(tmp_path / "file", "plain", feature="pooled"))(images(4, 224, 224))
    expected = forward(small_state(), images(4, 224, 224), 3)[:, 1:].mean(dim=1)
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("size", [(64, 64), (384, 384), (224, 336)])
def test_positions_are_resampled_as_by_the_authors(size, tmp_path):
    """As the row says, to the last digit; as timm does, the vectors of a shallow network already differ."""
    checkpoints.backbone(tmp_path / "file", small_state())
    slots, found = images(4, *size), {}
    for how in ("dino", "bicubic", "antialiased"):
        with torch.inference_mode():
            found[how] = build(small(tmp_path / "file", "plain", positions=how))(slots)
        expected = forward(small_state(), slots, 3, resampled=how)[:, 0]
        assert (found[how] - expected).abs().max() < 1e-5
    assert (found["dino"] - found["antialiased"]).abs().max() > 1e-4
    assert (found["dino"] - found["bicubic"]).abs().max() > 1e-4


def test_registers_take_no_position_and_the_class_token_keeps_its_own(tmp_path):
    state = random_state(48, 2, 16, 4, 14, registers=3)
    checkpoints.dinov2(tmp_path / "file", state)
    changes = {
        "options": SMALL["options"] | {"reg_tokens": 3, "no_embed_class": True},
        "ignore": ["mask_token"],
    }
    with torch.inference_mode():
        found = build(small(tmp_path / "file", "facebook_dinov2", **changes))(images(4, 224, 224))
    assert (found - forward(state, images(4, 224, 224), 3)[:, 0]).abs().max() < 1e-5


DINOV3 = {
    "architecture": "vit_small_patch16_dinov3_qkvb",
    "options": {"embed_dim": 192, "depth": 2, "num_heads": 3},
    "ignore": ["mask_token", "rope_embed.periods"],
    "feature": "cls",
}


@pytest.mark.parametrize("size", [(256, 256), (64, 96)])
def test_dinov3_gives_what_its_equations_give(size, tmp_path):
    state = checkpoints.dinov3_state(192, 2, 16, 4)
    torch.save(state, tmp_path / "file")
    with torch.inference_mode():
        found = build(small(tmp_path / "file", "facebook_dinov3", **DINOV3))(images(4, *size))
    assert (found - forward_dinov3(state, images(4, *size), 3)[:, 0]).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("name", "word"),
    [("storage_tokens", "has no reg_token"), ("norm.weight", "has no norm.weight")],
)
def test_dinov3_without_one_of_its_tensors_is_refused(name, word, tmp_path):
    state = checkpoints.dinov3_state(192, 2, 16, 4)
    del state[name]
    torch.save(state, tmp_path / "file")
    assert word in refusal(small(tmp_path / "file", "facebook_dinov3", **DINOV3))
    torch.save(checkpoints.dinov3_state(192, 2, 16, 4) | {"extra": torch.ones(1)}, tmp_path / "file")
    assert "extra has no place" in refusal(small(tmp_path / "file", "facebook_dinov3", **DINOV3))


def test_weights_on_request_say_where_to_ask(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("dinov3_vits16", "cell_dino_hpa_cells"):
        row = REGISTRY[name]
        line = refusal(row.model_copy(update={"options": row.options | {"depth": 1}}))
        assert line.startswith(row.weights) and row.request in line and "ask for them" in line


def refusal(network: Network) -> str:
    """The one line with which the weights of a row are refused; it names the file."""
    with pytest.raises(InputError) as error:
        build(network)
    line = str(error.value)
    assert "\n" not in line and network.weights in line
    return line


def test_a_renamed_tensor_is_named_with_the_one_that_is_missing(tmp_path):
    state = small_state()
    state["blocks.1.attn.qkv.wait"] = state.pop("blocks.1.attn.qkv.weight")
    checkpoints.backbone(tmp_path / "file", state)
    line = refusal(small(tmp_path / "file", "facebook_dino"))
    assert "has no blocks.1.attn.qkv.weight, but blocks.1.attn.qkv.wait" in line
    assert "config/backbones.yaml: test says architecture vit_small_patch16_224, layout facebook_dino" in line


def test_what_is_left_over_must_be_declared(tmp_path):
    checkpoints.wrapped(tmp_path / "file", small_state())
    line = refusal(small(tmp_path / "file", "dino4cells"))
    assert "head.mlp.0.weight has no place (and 3 more)" in line and "ignore []" in line


def test_what_the_model_needs_cannot_be_ignored(tmp_path):
    checkpoints.backbone(tmp_path / "file", small_state())
    assert "has no norm.weight" in refusal(small(tmp_path / "file", "plain", ignore=["norm."]))


@pytest.mark.parametrize(
    ("name", "change", "shapes"),
    [
        ("blocks.0.attn.qkv.weight", torch.t, r"(48, 144), not (144, 48)"),
        ("pos_embed", lambda tensor: tensor[:, 1:], r"(1, 196, 48), not (1, 197, 48)"),
        ("patch_embed.proj.weight", lambda tensor: tensor[:, :3], r"(48, 3, 16, 16), not (48, 4, 16, 16)"),
    ],
)
def test_a_tensor_of_another_shape_is_named_with_both(name, change, shapes, tmp_path):
    state = small_state()
    state[name] = change(state[name]).contiguous()
    checkpoints.backbone(tmp_path / "file", state)
    line = refusal(small(tmp_path / "file", "plain"))
    assert f"{name} has shape {shapes}" in line and "slots ['microtubules'" in line


def test_a_name_with_and_without_its_wrapper_is_refused(tmp_path):
    content = checkpoints.training_run(small_state(), "")
    content["teacher"]["norm.weight"] = torch.ones(48)
    torch.save(content, tmp_path / "file")
    assert "norm.weight both with and without backbone." in refusal(small(tmp_path / "file", "dino4cells"))


@pytest.mark.parametrize("layout", sorted(LAYOUTS.keys() - PACKAGED))
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("place", ["beside", "in args", "alone"])
def test_a_malicious_file_is_refused_and_nothing_of_it_runs(layout, zipped, place, tmp_path):
    proof, path = tmp_path / "proof", tmp_path / "file"
    bad = checkpoints.Malicious(proof)
    content = checkpoints.training_run(small_state(), "module.")
    content = {
        "beside": content | {"extra": bad},
        "in args": content | {"args": Namespace(x=bad)},
        "alone": bad,
    }
    torch.save(content[place], path, _use_new_zipfile_serialization=zipped)
    line = refusal(small(path, layout, ignore=["head."]))
    assert layout == "safetensors" or "refused: loading it would run" in line
    assert not proof.exists()
    torch.load(path, weights_only=False)
    assert proof.exists()  # so the file would have done it


@pytest.mark.parametrize("layout", sorted(LAYOUTS.keys() - PACKAGED))
def test_a_bare_pickle_is_refused_and_does_not_run(layout, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps({"teacher": checkpoints.Malicious(tmp_path / "proof")}))
    refusal(small(path, layout))
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
@pytest.mark.parametrize(
    ("layout", "write"),
    [
        ("facebook_dino", checkpoints.backbone),
        ("dino4cells", checkpoints.wrapped),
        ("dino4cells", checkpoints.old),
        ("plain", checkpoints.below_key),
        ("safetensors", checkpoints.safe),
        ("subcell", checkpoints.subcell),
        ("facebook_dinov2", checkpoints.chunked),
    ],
)
def test_a_truncated_file_is_refused(layout, write, share, tmp_path):
    path = tmp_path / "file"
    write(path, small_state())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "not a readable file of weights" in refusal(small(path, layout))


@pytest.mark.parametrize(
    ("layout", "content", "word"),
    [
        ("plain", [1, 2], "no named tensors"),
        ("plain", {"norm.weight": 3}, "norm.weight, a int"),
        ("facebook_dino", {"teacher": {}}, "teacher holds no named tensors"),
        ("dino4cells", {"norm.weight": torch.ones(3)}, "holds no teacher"),
        ("subcell", {"model": {"norm.weight": torch.ones(3)}}, "model, a dict"),
        ("facebook_dinov2", {"blocks.0.1.a": torch.ones(3), "blocks.1.1.a": torch.ones(3)}, "two chunks"),
        ("facebook_dinov2", {"register_tokens": torch.ones(3)}, "has no cls_token"),
        ("facebook_dinov3", {"blocks.0.attn.qkv.bias": torch.ones(3)}, "moves keys"),
        ("subcell", {"encoder.pooler.dense.weight": torch.ones(3)}, "has no cls_token, but encoder.pooler"),
    ],
)
def test_a_file_of_another_layout_is_refused(layout, content, word, tmp_path):
    torch.save(content, tmp_path / "file")
    assert word in refusal(small(tmp_path / "file", layout))


def test_a_class_token_cannot_be_had_from_a_network_without_one():
    row = SMALL | {"architecture": "tf_efficientnet_lite0", "options": {}, "seed": 0, "feature": "cls"}
    with pytest.raises(InputError, match="no class token"):
        build(Network.model_validate(row))


def test_the_example_of_the_readme_is_a_row_that_loads(tmp_path):
    block = next(part for part in README.read_text().split("```yaml\n") if part.startswith("my_backbone:"))
    (tmp_path / "backbones.yaml").write_text(block.split("```")[0])
    row = load_backbones(tmp_path / "backbones.yaml")["my_backbone"]
    state = random_state(384, 12, 16, 3, 14) | {"head.weight": torch.zeros(2, 384)}
    torch.save({"model": {f"model.{name}": tensor for name, tensor in state.items()}}, tmp_path / "file")
    model = build(row.model_copy(update={"weights": str(tmp_path / "file")}))
    assert torch.equal(model.norm.weight, state["norm.weight"])
