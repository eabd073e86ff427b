"""The registry of backbones: rows like others, and what each says beside what its authors' code does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from protloc.config.backbones import Network, untrained_of
from protloc.config.load import load_backbones
from protloc.config.sources import read_sources
from protloc.config.tokens import Shown, rounded, shown, warning
from protloc.errors import InputError
from protloc.modules import SCRIPTS
from protloc.registry_tables import registry_tables

ROOT = SCRIPTS.parent
REGISTRY = load_backbones(ROOT / "config/backbones.yaml")
NETWORKS = {name: row for name, row in REGISTRY.items() if isinstance(row, Network)}
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
FIXED = ([0.1450534, 0.11360057, 0.1231717, 0.14919987], [0.18122554, 0.14004277, 0.18840286, 0.17790672])
HALF = ([0.5] * 3, [0.5] * 3)

# What the authors' code does, by how rows' names begin, the longest beginning first: side in px of a cell of
# 24 µm, or of their own window, the window in µm, whether other cells are hidden, normalization,
# mean and deviation, how positions are resampled, how vectors are made. None: they do not say.
AUTHORS = {
    "hpa_single_cell_dino_joint": (512, 41, True, "minmax_joint", FIXED, "dino", "cls"),
    "hpa_single_cell_model_joint": (512, 41, True, "minmax_joint", FIXED, "dino", "cls"),
    "hpa_single_cell": (512, 41, True, "standardize", ([], []), "dino", "cls"),
    "cell_dino_hpa_fields": (224, None, None, "standardize", ([], []), "dino", "cls"),
    "cell_dino": (384, 30.72, True, "standardize", ([], []), "dino", "cls"),
    "hpa_fov_dino": (224, None, None, "standardize", ([], []), "dino", "cls"),
    "subcell": (640, 51.3, True, "minmax_joint", ([], []), "bicubic", "gated"),
    "morphem": (224, None, None, "standardize_first", ([], []), "dino", "cls"),
    "imagenet_dino_vits16_blocks": (224, None, None, "percentiles", IMAGENET, "dino", "cls_blocks_4"),
    "imagenet_dino_vitb16_pooled": (224, None, None, "percentiles", IMAGENET, "dino", "cls_pooled"),
    "imagenet_dino": (224, None, None, "percentiles", IMAGENET, "dino", "cls"),
    "dinov2_vits14_blocks": (224, None, None, "percentiles", IMAGENET, "dino", "cls_blocks_4"),
    "dinov2_vits14_packaged_blocks": (224, None, None, "percentiles", IMAGENET, "dino", "cls_blocks_4"),
    "dinov2_vitb14_blocks": (224, None, None, "percentiles", IMAGENET, "dino", "cls_blocks_4"),
    "dinov2_vits14_reg": (224, None, None, "percentiles", IMAGENET, "antialiased", "cls"),
    "dinov2_vitb14_reg": (224, None, None, "percentiles", IMAGENET, "antialiased", "cls"),
    "dinov2_vitl14_reg": (224, None, None, "percentiles", IMAGENET, "antialiased", "cls"),
    "dinov2": (224, None, None, "percentiles", IMAGENET, "dino", "cls"),
    "dinov3": (224, None, None, "percentiles", IMAGENET, "antialiased", "cls"),
    "siglip": (224, None, None, "percentiles", HALF, "antialiased", None),
    "efficientnet": (224, None, None, "percentiles", HALF, "antialiased", None),
}
# Fields: µm per px, and tiles of how many px. Of networks for natural images the scale is chosen here.
FIELDS = {
    "hpa_fov_dino": (0.32, None),
    "hpa_single_cell": (0.08, 512),
    "cell_dino_hpa_fields": (0.32, 384),
    "cell_dino": (0.08, 384),
    "subcell": (0.0800885, 640),
}
OWN = ("vit_untrained", "dino_demo", "own_dino")


def of(table: dict, name: str) -> object:
    return next(
        (table[begin] for begin in sorted(table, key=len, reverse=True) if name.startswith(begin)), None
    )


@pytest.mark.parametrize("name", [name for name in NETWORKS if not name.startswith(OWN)])
def test_a_row_shows_images_as_its_authors_do(name):
    row, expected = NETWORKS[name], of(AUTHORS, name)
    assert expected is not None, "state here what the authors of this network do"
    px, crop_um, masked, normalization, moments, positions, feature = expected
    assert shown(row, "cell", 24.0).px == px
    assert (row.cell.crop_um, row.cell.mask_neighbours) == (crop_um, masked)
    assert row.cell.padding == ("zero" if crop_um else "background")
    assert (row.normalization, (row.mean, row.std)) == (normalization, moments)
    assert (row.positions, row.feature) == (positions, feature)
    assert (row.um_per_px, row.tile_px) == (of(FIELDS, name) or (0.412698, None))


def test_every_row_says_where_its_preparation_is_from():
    for name, row in NETWORKS.items():
        cited = "@" in (row.preparation or "") or "timm 1.0.31:" in (row.preparation or "")
        assert cited or name.startswith(OWN), name


def test_the_table_of_the_documentation_names_every_row_and_what_it_says():
    text = registry_tables(REGISTRY, read_sources())
    assert text in (ROOT / "docs/backbones.md").read_text()
    cells = {line.split(" | ")[0].strip("| `"): line for line in text.splitlines() if line.startswith("| `")}
    assert set(cells) == set(NETWORKS)
    line = next(line for line in text.splitlines() if line.startswith("| `subcell` | 0.08"))
    assert line.split(" | ")[1:7] == [
        "0.0800885 µm/px, tiles of 640 px", "0.0800885 µm/px", "51.3 µm", "masked", "zeros",
        "minimum and maximum of all channels together",
    ]  # fmt: skip


BASE = """one:
  kind: network
  title: one
  architecture: vit_small_patch16_224
  options: {dynamic_img_size: true}
  weights: one.pth
  layout: plain
  ignore: [head.]
  feature: cls
  slots: [grey]
  natural: {protein: grey, nucleus: grey}
  um_per_px: 0.4
  licence: MIT
  citation: "Somebody 2020, Title, place"
"""


def read(tmp_path: Path, text: str) -> dict:
    (tmp_path / "backbones.yaml").write_text(BASE + text)
    return load_backbones(tmp_path / "backbones.yaml")


def test_a_row_like_another_takes_what_it_does_not_say_itself(tmp_path):
    rows = read(
        tmp_path, "two:\n  like: three\n  title: two\nthree:\n  like: one\n  title: x\n  um_per_px: 0.2\n"
    )
    assert rows["two"] == rows["one"].model_copy(update={"title": "two", "um_per_px": 0.2})


def test_an_untrained_control_is_three_lines(tmp_path):
    rows = read(tmp_path, "two:\n  like: one\n  title: two\n  seed: 3\n")
    of_weights = {"weights": None, "layout": None, "ignore": [], "licence": None, "citation": None}
    expected = {"title": "two", "seed": 3, "control": True, **of_weights}
    assert rows["two"] == rows["one"].model_copy(update=expected)
    assert untrained_of(rows) == {"one": "two"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("two:\n  like: four\n  title: two\n", "two.like: there is no row four"),
        ("two:\n  like: two\n  title: two\n", "two.like: two is like two: no row says what it is"),
        ("two:\n  like: six\n  title: a\nsix:\n  like: two\n  title: b\n", "is like"),
        ("two:\n  like: one\n", "two.network.title: Field required"),
        ("two:\n  like: one\n  title: two\n  sloths: [red]\n", "two.network.sloths: Extra inputs"),
        ("two:\n  like: one\n  title: two\n  feature: cls_blocks_0\n", "two.network.feature"),
    ],
)
def test_a_row_that_is_like_nothing_is_one_line(text, message, tmp_path):
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)


def test_an_editor_knows_rows_that_are_like_others():
    schema = json.loads((ROOT / "config/backbones.schema.json").read_text())
    like = schema["$defs"]["LikeAnother"]
    assert like["required"] == ["like", "title"]
    assert set(Network.model_fields) | {"like"} == set(like["properties"])


ROW = NETWORKS["imagenet_dino_vits16"]


@pytest.mark.parametrize(
    ("changes", "level", "side_um", "scale", "expected"),
    [
        ({}, "cell", 24.0, 1, (224, 1.0)),
        ({}, "cell", 24.0, 2, (448, 4.0)),
        ({"cell": {}}, "cell", 24.0, 1, (64, 0.0816)),
        ({"cell": {"um_per_px": 0.1}}, "cell", 24.0, 1, (240, 1.148)),
        ({"cell": {"um_per_px": 0.1, "crop_um": 12}}, "cell", 24.0, 1, (128, 0.3265)),
        ({}, "fov", 123.8, 1, (304, 1.842)),
        ({}, "fov", 123.8, 0.5, (144, 0.4133)),
        ({"um_per_px": 0.08, "tile_px": 512}, "fov", 123.8, 1, (512, 5.224)),
        ({"um_per_px": 0.08, "tile_px": 512}, "fov", 30.0, 1, (368, 2.699)),
        ({"pretrained_px": None}, "cell", 24.0, 1, (224, None)),
    ],
)
def test_how_large_an_image_is_shown(changes, level, side_um, scale, expected):
    row = Network.model_validate(ROW.model_dump() | changes)
    px, ratio = shown(row, level, side_um, scale)
    assert Shown(px, ratio and pytest.approx(ratio)) == Shown(expected[0], expected[1] and px**2 / 224**2)
    assert ratio == (expected[1] and pytest.approx(expected[1], rel=1e-3))
    far = ratio is not None and not 0.25 <= ratio <= 4
    line = warning(row, level, side_um, scale)
    assert (line is not None) == far
    assert not far or (f"{px} px" in line and row.title in line and "\n" not in line)


def test_a_side_is_rounded_to_a_multiple_and_never_to_nothing():
    assert [rounded(px, 16) for px in (3, 24, 25, 40.1, 640.54)] == [16, 32, 32, 48, 640]
