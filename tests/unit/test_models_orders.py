from __future__ import annotations

import numpy as np
import pytest
import tifffile
import torch
from conftest import key, write_field
from protloc.cli import main
from protloc.config.backbones import Network
from protloc.errors import InputError
from protloc.models import slot_orders
from protloc.models.retrieval import effective_dimensions, same_label_precision
from protloc.models.sample import sample_fields
from protloc.models.slot_orders import compare_orders, table
from protloc.models.weights import build

NETWORK = Network.model_validate(
    {
        "kind": "network",
        "title": "test",
        "architecture": "vit_small_patch16_224",
        "options": {"embed_dim": 48, "depth": 2, "num_heads": 3, "dynamic_img_size": True},
        "seed": 0,
        "slots": ["microtubules", "protein", "nucleus", "er"],
        "natural": {"protein": "er", "nucleus": "protein"},
        "um_per_px": 0.2,
        "size_multiple": 16,
    }
)


def stripes(gene: int, field: int) -> np.ndarray:
    """Nuclei that say nothing, and a protein whose stripes are its own."""
    draw = np.random.default_rng(100 * gene + field)
    x = np.arange(64)[None, :] + draw.integers(64)
    protein = 1000 * (1 + np.sin(2 * np.pi * x / (3 + 2 * gene))) + np.zeros((64, 1))
    return np.stack([draw.integers(300, 3000, (64, 64)), protein + 300]).astype(np.uint16)


@pytest.fixture
def mirror(tmp_path):
    for gene in range(6):
        for field in range(3):
            name = key(f"G{gene}", 10 * gene + field, f"ENSG{gene:011d}")
            write_field(tmp_path / "mirror", name, stripes(gene, field))
    return tmp_path / "mirror"


def test_precision_is_1_where_likes_are_together_and_known_where_they_are_not():
    apart = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], dtype=np.float32)
    assert np.allclose(same_label_precision(apart, ["a", "a", "b", "b"]), 1)
    assert np.allclose(same_label_precision(apart, ["a", "b"] * 2), [1 / 3, 1 / 2, 1 / 3, 1 / 2])
    assert np.isnan(same_label_precision(apart, ["a", "b", "b", "b"])[0])


def test_dimensions_count_the_directions_that_are_used():
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    assert effective_dimensions(axes) == pytest.approx(3)
    assert effective_dimensions(np.ones((4, 5))) == 0


def test_an_order_is_found_that_the_registry_has_wrong(mirror, monkeypatch):
    """A network that sees its slot `protein` alone: whoever puts the protein there is told apart best."""

    def one_eyed(network):
        model = build(network)
        with torch.no_grad():
            model.patch_embed.proj.weight[:, [0, 2, 3]] = 0
        return model

    monkeypatch.setattr(slot_orders, "build", one_eyed)
    orders, own = compare_orders(NETWORK, sample_fields(str(mirror), 18), 0.2)
    assert len(orders) == 12 and own.protein == "er"
    assert {order.protein for order in orders[:3]} == {"protein"}
    assert orders[0].difference > 2 * orders[0].error > 0
    blind = [order for order in orders if "protein" not in (order.nucleus, order.protein)]
    assert all(order.dimensions == pytest.approx(0, abs=1e-3) for order in blind)


def test_the_probe_is_deterministic_and_its_table_has_every_order(mirror):
    first, again = (compare_orders(NETWORK, sample_fields(str(mirror), 12), 0.2) for _ in range(2))
    assert table(*first) == table(*again)
    lines = table(*first).splitlines()
    assert len(lines) == 13 and sum(line.startswith("*") for line in lines) == 1


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "vit_untrained"])
def test_the_command_prints_a_line_per_order(backbone, mirror, capsys):
    assert main(["probe-channels", backbone, str(mirror), "--fields", "6"]) == 0
    out = capsys.readouterr().out
    assert "6 fields of 2 proteins, slots red, green, blue" in out
    assert sum(" ± " in line for line in out.splitlines()) == 6


@pytest.mark.parametrize(
    ("backbone", "place", "message"),
    [
        ("majority", "mirror", "majority is no network; allowed: efficientnet_lite0"),
        ("vit_untrained", "nowhere", "nowhere: neither a folder with microscopy/raw/"),
        ("hpa_fov_dino", "mirror", "data/weights/DINO_FOV_checkpoint.pth: the weights of"),
    ],
)
def test_what_cannot_be_probed_is_one_line(backbone, place, message, mirror, monkeypatch, capsys):
    monkeypatch.chdir(mirror.parent)
    assert main(["probe-channels", backbone, place]) == 1
    assert message in (line := capsys.readouterr().err) and line.count("\n") == 1


def test_a_sample_is_spread_over_the_proteins_and_passes_over_bad_files(mirror, caplog):
    fields = sample_fields(str(mirror), 9)
    assert [field.gene for field in fields] == ["G0"] * 3 + ["G2"] * 3 + ["G4"] * 3
    tifffile.imwrite(mirror / key("G0", 0, "ENSG00000000000"), np.zeros((5, 5), np.uint8))
    assert len(sample_fields(str(mirror), 9)) == 8 and "passed over" in caplog.text


def test_a_mirror_of_one_protein_is_refused(tmp_path):
    for field in range(3):
        write_field(tmp_path, key("AAA", field), stripes(0, field))
    with pytest.raises(InputError, match="needs two proteins with two fields each; found 1"):
        sample_fields(str(tmp_path), 9)
