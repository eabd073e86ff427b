from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from matplotlib.figure import Figure
from PIL import Image
from protloc.attention.mapper import Mapper
from protloc.attention.places import kind_of
from protloc.attention.table import MOST, attention_table
from protloc.config.backbones import Network
from protloc.embed.encoder import Encoder
from protloc.errors import InputError
from protloc.facts import record_path
from protloc.figures.attention import KINDS, draw_attention, values_of_maps
from protloc.figures.cells_umap import _draw_fields, draw_cells_umap
from protloc.figures.shortcut_rows import COUNTS, NEAREST, PADDED, shortcut_rows
from protloc.figures.shortcuts import (
    NO_NEAREST,
    NO_PADDING,
    NO_SCORES,
    PADDED_HEADING,
    _draw_value,
    draw_shortcuts,
)
from protloc.figures.speeds import speeds
from protloc.figures.style import COLOURS, SIMULATED
from protloc.figures.throughput import NO_SHARE, draw_throughput
from protloc.models.folding import fold
from protloc.models.pooling import add_gated_pool
from protloc.models.preprocess import prepare
from protloc.models.strategies import matrices
from protloc.models.view import view_of
from protloc.models.weights import build
from protloc.tables import read_table, write_table
from protloc.variants import Variant
from subsets import in_both_subsets

CPU = torch.device("cpu")
CNN = {
    "kind": "network",
    "title": "CNN",
    "architecture": "tf_efficientnet_lite0",
    "seed": 0,
    "slots": ["red", "green", "blue"],
    "natural": {"protein": "green", "nucleus": "blue"},
    "um_per_px": 0.2,
    "size_multiple": 32,
}
VIT = CNN | {
    "title": "ViT",
    "architecture": "vit_small_patch16_224",
    "options": {"embed_dim": 48, "depth": 3, "num_heads": 3, "dynamic_img_size": True},
    "size_multiple": 16,
    "feature": "cls",
}
POOLED = VIT | {"title": "pooled ViT", "feature": "pooled"}
TITLES = {"dino": "DINO", "cnn": "CNN", "untrained": "untrained"}


def image(number: int, size: tuple[int, int] = (96, 96)) -> np.ndarray:
    counts = np.random.default_rng(number).integers(300, 900, (2, *size), dtype=np.uint16)
    counts[:, : size[0] // 2, : size[1] // 3] += np.uint16(1000 * (number + 1))
    return counts


def words(svg: Path) -> str:
    """The words of an SVG: matplotlib draws them as paths and leaves each as a comment."""
    return svg.read_text()


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> tuple[Path, pd.DataFrame, pd.DataFrame]:
    """Raw folder, fovs and proteins: nine good fields, a protein and shape each, and a bad one."""
    raw = tmp_path_factory.mktemp("raw")
    rows = []
    for number in range(9):
        size = (96, 96) if number % 3 else (64, 128)
        tifffile.imwrite(raw / f"{number}.tif", image(number, size))
        digest = hashlib.sha256((raw / f"{number}.tif").read_bytes()).hexdigest()
        rows.append((f"FID{number:08d}", f"G{number}", f"{number}.tif", digest, *size, 0.2, "ok"))
    rows.append(("FID00000099", "G0", "99.tif", "", 96, 96, 0.2, "bad"))
    columns = ["fov_id", "gene", "key", "sha256", "height", "width", "pixel_size_um", "status"]
    proteins = pd.DataFrame({"gene": [f"G{n}" for n in range(8)]})  # G8 has no row: it is shown as none
    proteins["grade_3"] = [[["er"], ["golgi", "er"], []][n % 3] for n in range(8)]
    return raw, pd.DataFrame(rows, columns=columns), proteins


def maps_of(study, networks, count=4, threads=1, strategy="replicate_fill") -> pd.DataFrame:
    raw, fovs, proteins = study
    strategies = dict.fromkeys(networks, strategy)
    return attention_table(fovs, proteins, raw, networks, strategies, count=count, threads=threads)


def prepared(row: dict, counts: np.ndarray) -> torch.Tensor:
    network = Network.model_validate(row)
    return prepare(torch.from_numpy(counts)[None], 0.2, view_of(network, "fov"), CPU)


@pytest.mark.parametrize("depth", [1, 3])
def test_attention_of_the_class_token_is_that_of_the_network_itself(depth):
    row = VIT | {"options": VIT["options"] | {"depth": depth}}
    mapper, counts = Mapper(Network.model_validate(row), "replicate_fill"), image(1, (64, 128))
    found = mapper.map(counts, 0.2)
    (model,) = mapper._passes
    attention = model.blocks[-1].attn
    attention.fused_attn = False
    seen = []
    attention.attn_drop.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.inference_mode():
        model(prepared(row, counts))
    (weights,) = seen  # (batch, heads, tokens, tokens)
    of_class_token = weights[0, :, 0].mean(dim=0)
    expected = len(of_class_token) * of_class_token[1:].reshape(4, 8)
    assert mapper.kind == "class_token" and found.shape == (4, 8)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert np.ptp(found) > 1e-4


@pytest.mark.parametrize("strategy", ["replicate_fill", "channelwise_concat"])
@pytest.mark.parametrize(("row", "grid"), [(CNN, (2, 4)), (POOLED, (4, 8))], ids=["cnn", "pooled"])
def test_similarity_is_the_cosine_of_each_place_to_the_embedding(row, grid, strategy):
    network, counts = Network.model_validate(row), image(2, (64, 128))
    mapper = Mapper(network, strategy)
    found = mapper.map(counts, 0.2)
    variant = Variant(strategy)
    embedding = Encoder(network, [variant], CPU).encode(torch.from_numpy(counts)[None], 0.2)[variant][0]
    features = []
    for matrix in matrices(strategy, network.slots, network.natural):
        model = fold(build(network), matrix, *network.moments)
        with torch.inference_mode():
            of_pass = model.forward_features(prepared(row, counts))[0]
        features.append(of_pass.flatten(1).T if of_pass.ndim == 3 else of_pass[1:])
    places = np.concatenate([np.asarray(one) for one in features], axis=1)
    cosine = places @ embedding / np.linalg.norm(places, axis=1) / np.linalg.norm(embedding)
    assert mapper.kind == "similarity" and found.shape == grid
    np.testing.assert_allclose(found.ravel(), cosine, atol=1e-4)


def test_weights_of_a_gated_pool_are_those_that_make_its_vector():
    torch.manual_seed(0)
    network = Network.model_validate(VIT)
    model = build(network)
    add_gated_pool(model)
    assert kind_of(model) == "pool"
    tokens = torch.randn(1, 33, 48)
    weights = model.attn_pool.weights(tokens)
    made = [(weights[0, :, head, None] * tokens[0]).sum(dim=0) for head in (0, 1)]
    assert torch.allclose(model.attn_pool(tokens)[0], torch.cat(made), atol=1e-5)
    assert torch.allclose(weights.sum(dim=1), torch.ones(1, 2))


BLOCKS = VIT | {"title": "ViT, two blocks", "feature": "cls_blocks_2", "positions": "dino"}
BOTH = VIT | {"title": "ViT, both", "feature": "cls_pooled"}
SIGLIP = VIT | {"title": "SigLIP", "architecture": "vit_base_patch16_siglip_224", "feature": None}
DINOV3 = VIT | {
    "title": "DINOv3",
    "architecture": "vit_small_patch16_dinov3",
    "options": {"embed_dim": 96, "depth": 2, "num_heads": 3},
}


@pytest.mark.parametrize("row", [BLOCKS, BOTH], ids=["blocks", "both"])
def test_attention_of_a_longer_feature_is_that_of_its_last_class_token(row):
    plain = VIT | {"positions": row.get("positions", "antialiased")}
    maps = [Mapper(Network.model_validate(one), "replicate_fill") for one in (plain, row)]
    first, second = (mapper.map(image(1), 0.2) for mapper in maps)
    assert maps[1].kind == "class_token" and np.array_equal(first, second)


def test_a_network_without_a_map_is_left_out_with_a_reason_and_named_on_the_figure(study, tmp_path, caplog):
    raw, fovs, _ = study
    maps = maps_of(study, {"siglip": SIGLIP, "cnn": CNN, "dinov3": DINOV3})
    assert set(maps["backbone"]) == {"cnn"}
    assert "SigLIP: no map can be made: its vector is made by an attention pool" in caplog.text
    assert "DINOv3: no map can be made: its vector is the class token of Eva" in caplog.text
    titles = {"siglip": "SigLIP", "cnn": "CNN", "dinov3": "DINOv3"}
    drawn = []
    for name, table in {"one": maps, "none": maps_of(study, {"siglip": SIGLIP})}.items():
        write_table("attention", table, tmp_path / f"{name}.parquet")
        read = read_table("attention", tmp_path / f"{name}.parquet")
        assert len(values_of_maps(read)) == (read["height"] * read["width"]).sum()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Figure, "text", _kept(drawn, Figure.text))
            draw_attention(read, fovs, titles, raw, True, [tmp_path / f"{name}.png"])
    assert any(text.endswith("No map can be made of SigLIP, DINOv3.") for text in drawn)
    assert "No map can be made of SigLIP, CNN, DINOv3." in drawn


def _kept(texts: list, draw):
    def keep(figure, x, y, text, **look):
        texts.append(text)
        return draw(figure, x, y, text, **look)

    return keep


def test_networks_without_a_class_token_are_shown_by_similarity():
    kinds = [kind_of(build(Network.model_validate(row))) for row in (VIT, POOLED, CNN)]
    assert kinds == ["class_token", "similarity", "similarity"]


def test_threads_company_and_the_order_of_rows_change_no_bit_of_a_map(study, tmp_path):
    raw, fovs, proteins = study
    networks = {"vit": VIT, "cnn": CNN}
    write_table("attention", maps_of(study, networks), tmp_path / "first.parquet")
    mixed = (raw, fovs.sample(frac=1, random_state=0), proteins.sample(frac=1, random_state=1))
    write_table("attention", maps_of(mixed, networks, threads=3), tmp_path / "second.parquet")
    assert (tmp_path / "first.parquet").read_bytes() == (tmp_path / "second.parquet").read_bytes()
    first = read_table("attention", tmp_path / "first.parquet").set_index(["backbone", "fov_id"])["places"]
    alone = maps_of(study, {"cnn": CNN}, count=2).set_index(["backbone", "fov_id"])["places"]
    assert len(alone) == 2 and all(np.array_equal(first[key], values) for key, values in alone.items())


def test_fields_are_good_ones_spread_over_classes_and_not_more_than_fit(study):
    maps = maps_of(study, {"cnn": CNN}, count=9)
    assert len(maps) == MOST and "FID00000099" not in set(maps["fov_id"])
    assert maps["label"].value_counts().to_dict() == {"er": 2, "golgi": 2, "none": 2}
    raw, fovs, proteins = study
    few = fovs.assign(status=["ok"] * 3 + ["bad"] * 7)
    assert set(maps_of((raw, few, proteins), {"cnn": CNN}, count=3)["fov_id"]) == set(fovs["fov_id"][:3])
    with pytest.raises(InputError, match="status"):
        maps_of((raw, fovs[fovs["status"] == "bad"], proteins), {"cnn": CNN})


@pytest.mark.parametrize(
    "networks",
    [{"dino": VIT}, {"cnn": CNN}, {"untrained": VIT}, {"dino": VIT, "cnn": CNN, "untrained": POOLED}],
    ids=["one", "no ViT", "controls", "all"],
)
def test_maps_are_drawn_and_every_value_is_in_the_csv(study, tmp_path, networks):
    raw, fovs, _ = study
    maps = maps_of(study, networks)
    draw_attention(maps, fovs, TITLES, raw, True, [tmp_path / "first.png"])
    mixed = (table.sample(frac=1, random_state=0) for table in (maps, fovs))
    draw_attention(*mixed, TITLES, raw, True, [tmp_path / "second.png"])
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    values = values_of_maps(maps)
    assert len(values) == (maps["height"] * maps["width"]).sum()
    one = maps.iloc[0]
    mine = values[(values["backbone"] == one["backbone"]) & (values["fov_id"] == one["fov_id"])]
    grid = mine.pivot(index="row", columns="column", values="value").to_numpy()
    assert np.array_equal(grid, one["places"].reshape(one["height"], one["width"]))
    assert set(values["kind"]) <= KINDS.keys()


def test_a_bright_place_is_drawn_where_the_field_has_it(study, tmp_path):
    """The only place above others lies at the upper right; so does the only bright square of the map."""
    raw, fovs, _ = study
    places = np.zeros((3, 3), np.float32)
    places[0, 2] = 1
    one = {"backbone": "cnn", "strategy": "none", "fov_id": "FID00000001", "label": "er"}
    maps = pd.DataFrame([one | {"kind": "similarity", "height": 3, "width": 3, "places": places.ravel()}])
    draw_attention(maps, fovs, TITLES, raw, False, [tmp_path / "map.png"])
    drawn = np.asarray(Image.open(tmp_path / "map.png").convert("RGB")).astype(int)
    yellow = np.abs(drawn - (253, 231, 37)).sum(axis=2) < 20
    dark = np.abs(drawn - (68, 1, 84)).sum(axis=2) < 20
    dark[:, 315:] = yellow[:, 315:] = False  # the scale beside the map, which is 36 mm wide
    (top, left), (bottom, right) = (at(np.argwhere(dark | yellow), axis=0) for at in (np.min, np.max))
    middle = np.argwhere(yellow).mean(axis=0)
    assert middle[0] == pytest.approx(top + (bottom - top) / 6, abs=4)
    assert middle[1] == pytest.approx(left + 5 * (right - left) / 6, abs=4)
    assert yellow.sum() == pytest.approx((yellow.sum() + dark.sum()) / 9, rel=0.1)


def metrics(
    backbones=("dino", "untrained"), seeds=(0, 1, 2), policies=("single",), padded=False
) -> pd.DataFrame:
    values = {"nearest_of_protein": 0.4, "nearest_of_fov": 0.2, "nearest_of_fov_in_protein": 0.5}
    values |= dict(zip(PADDED, (0.7, 0.3), strict=True)) if padded else {}
    values |= {f"{name}_chance": value / 10 for name, value in values.items()}
    values |= dict(zip(COUNTS, (40.0 * padded, 60.0), strict=True))
    rows = [
        {"backbone": name, "seed": seed, "label_policy": policy, "metric": metric, "value": value}
        | {"value": value + 0.01 * seed * ("chance" not in metric)}
        for name in backbones
        for seed in seeds
        for policy in policies
        for metric, value in values.items()
    ]
    rows = pd.DataFrame(rows, columns=["backbone", "seed", "label_policy", "metric", "value"])
    rows["k"] = pd.array([1] * len(rows), dtype="Int64")
    fixed = {"task": "knn", "level": "cell", "strategy": "none", "split_unit": "cell", "fraction": 1.0}
    return rows.assign(**fixed, shots=0, subset="test")


def summary(
    tasks=("linear", "knn"), backbones=("dino", "untrained"), units=("protein", "fov"), policies=("single",)
) -> pd.DataFrame:
    rows = [
        {"task": task, "backbone": name, "label_policy": policy, "split_unit": unit, "fraction": fraction}
        | {"k": k, "mean": 0.3 * fraction + 0.2 * (unit != "protein")}
        for task in tasks
        for name in backbones
        for policy in policies
        for unit in (*units, *(["cell"] if task == "knn" else []))
        for fraction in ((1.0,) if task == "knn" else (0.1, 1.0))
        for k in ((1, 10, 50) if task == "knn" else (None,))
    ]
    columns = ["task", "backbone", "label_policy", "split_unit", "fraction", "k", "mean"]
    rows = pd.DataFrame(rows, columns=columns)
    rows["k"] = rows["k"].astype("Int64")
    rows["level"] = ["cell" if task == "knn" else "fov" for task in rows["task"]]
    bounds = {"low": rows["mean"] - 0.1, "high": rows["mean"] + 0.05, "sd": 0.01, "runs": 3}
    rows = in_both_subsets(rows.assign(strategy="none", metric="macro_f1", **bounds))
    best = (rows["k"] == 10).fillna(False) & (rows["subset"] == "validation")
    return rows.assign(mean=rows["mean"] + 0.01 * best)


def draw(rows: pd.DataFrame, folder: Path, controls=("untrained",), simulated=True) -> str:
    out = [folder / f"shortcuts.{suffix}" for suffix in ("svg", "png")]
    draw_shortcuts(rows, TITLES, controls, simulated, out)
    return words(out[0])


def test_shortcuts_are_nearest_cells_beside_chance_and_scores_by_what_is_known():
    mixed = [table.sample(frac=1, random_state=0) for table in (metrics(), summary())]
    rows = shortcut_rows(*mixed)
    pd.testing.assert_frame_equal(rows, shortcut_rows(metrics(), summary()))
    nearest = rows[rows["panel"] == "nearest_of_protein"].set_index("backbone").loc["dino"]
    assert nearest[["runs", "mean", "low", "high", "chance"]].to_list() == pytest.approx(
        [3, 0.41, 0.4, 0.42, 0.04]
    )
    assert set(rows["panel"]) == {*NEAREST, *COUNTS, "macro_f1"} and len(rows) == 2 * (3 + 2 + 2 + 3)
    scores = rows[rows["panel"] == "macro_f1"]
    knn = scores[scores["task"] == "knn"]
    assert set(knn["k"]) == {10} and sorted(knn["apart"].unique()) == ["cell", "fov", "protein"]
    linear = scores[scores["task"] == "linear"].set_index(["backbone", "apart"])
    assert linear.loc[("dino", "fov"), ["low", "mean", "high"]].to_list() == pytest.approx([0.4, 0.5, 0.55])


def test_shortcuts_of_several_policies_are_those_of_the_first():
    both = {"policies": ("multi", "single")}
    rows = shortcut_rows(metrics(policies=("hand", "single")), summary(tasks=("linear",), **both))
    assert set(rows["label_policy"]) == {"single"} and len(rows) == 2 * (3 + 2 + 2)
    only = shortcut_rows(metrics(policies=("hand",)), summary(tasks=("linear",), policies=("multi",)))
    assert sorted(set(only["label_policy"])) == ["hand", "multi"] and len(only) == len(rows)


def test_the_chart_of_shortcuts_says_what_is_in_it_and_repeats(tmp_path):
    rows = shortcut_rows(metrics(), summary(tasks=("linear", "finetune", "knn")))
    text = draw(rows, tmp_path)
    for said in ("linear probe", "fine-tuned", "neighbours, k = 10", "of the same protein", SIMULATED):
        assert said in text
    assert NO_NEAREST not in text and NO_SCORES not in text
    assert draw(rows, tmp_path, simulated=False) != text
    (tmp_path / "again").mkdir()
    assert draw(rows, tmp_path / "again") == text


def test_without_cells_the_chart_of_shortcuts_says_so(tmp_path):
    none = metrics(seeds=())
    rows = shortcut_rows(none, summary(tasks=("linear",)))
    text = draw(rows, tmp_path)
    assert NO_NEAREST in text and "linear probe" in text and "neighbours, k" not in text
    alone = shortcut_rows(metrics(), summary(tasks=("linear",), units=("protein",)))
    text = draw(alone, tmp_path)
    assert NO_SCORES in text and "of the same field" in text
    empty = shortcut_rows(none, summary(tasks=()))
    assert empty.empty
    text = draw(empty, tmp_path)
    assert NO_NEAREST in text and NO_SCORES in text and SIMULATED in text


def test_padding_is_shown_where_crops_are_padded_and_else_said_to_be_none(tmp_path):
    rows = shortcut_rows(metrics(padded=True), summary())
    of_padded, of_others = (
        rows[rows["panel"] == panel].set_index("backbone").loc["dino"] for panel in PADDED
    )
    assert of_padded[["mean", "chance"]].to_list() == pytest.approx([0.71, 0.07])
    assert of_others[["mean", "chance"]].to_list() == pytest.approx([0.31, 0.03])
    assert rows.loc[rows["panel"] == "padded_cells", "mean"].to_list() == pytest.approx([40.01, 40.01])
    text = draw(rows, tmp_path)
    assert PADDED_HEADING in text and NO_PADDING not in text and "not padded" in text
    text = draw(shortcut_rows(metrics(), summary()), tmp_path)
    assert PADDED_HEADING in text and NO_PADDING in text and "not padded" not in text
    text = draw(shortcut_rows(metrics(seeds=()), summary()), tmp_path)
    assert PADDED_HEADING not in text and NO_PADDING not in text


def test_one_backbone_and_controls_alone_have_a_chart_of_shortcuts(tmp_path):
    text = draw(shortcut_rows(metrics(("dino",)), summary(backbones=("dino",))), tmp_path)
    assert "DINO" in text and "untrained" not in text and COLOURS[0].lower() in text
    text = draw(shortcut_rows(metrics(("untrained",)), summary(backbones=("untrained",))), tmp_path)
    assert "untrained" in text and "DINO" not in text and COLOURS[0].lower() not in text


def test_a_share_that_is_not_known_and_an_interval_that_is_not_are_left_out(tmp_path):
    some = metrics()
    some = some[~some["metric"].str.startswith(NEAREST[2]) | some["backbone"].ne("dino")]
    scores = summary()
    blank = scores["backbone"] == "dino"
    scores.loc[blank, ["low", "high"]] = np.nan
    rows = shortcut_rows(some, scores)
    assert rows.loc[rows["panel"] == NEAREST[2], "backbone"].to_list() == ["untrained"]
    unknown = rows[rows["panel"].eq("macro_f1") & rows["backbone"].eq("dino")]
    assert (
        len(unknown) == 5 and unknown[["low", "high"]].isna().all(axis=None) and unknown["mean"].notna().all()
    )
    assert "DINO" in draw(rows, tmp_path)
    axis = Figure().add_subplot()
    for place, row in enumerate((unknown.iloc[0], rows[rows["backbone"] == "untrained"].iloc[0])):
        _draw_value(axis, place, row, {"color": "red"}, "o")
    bars = [bar.get_segments() for bar in axis.collections]
    assert [len(bar) for bar in bars[0]] == [0]
    assert np.allclose(bars[1][0], [[row["low"], 1], [row["high"], 1]])
    assert [line.get_xdata()[0] for line in axis.lines] == [unknown["mean"].iloc[0], row["mean"]]


def step(folder: Path, level: str, backbone: str, **run) -> tuple[str, str, Path]:
    """An embedding file's place with a record beside it, as the step that made it leaves it."""
    path = folder / level / backbone / "none.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {"host": "node1", "device": "cpu", "how": {"threads": 2}} | run
    record_path(path).write_text(json.dumps({"facts": {"rule": "embed"}, "run": known}))
    return level, backbone, path


def test_speeds_are_those_of_the_records(tmp_path):
    fast = {"images_per_second": 50.0, "share_of_peak": 0.4, "peak_gflops": 90.0, "gflop_per_image": 0.5}
    found = speeds([step(tmp_path, "fov", "dino", **fast), step(tmp_path, "cell", "handmade", device=None)])
    assert found.loc[0, list(fast)].to_dict() == fast and found.loc[0, "threads"] == 2
    assert found.loc[1, list(fast)].isna().all()
    (tmp_path / "lost").mkdir()
    with pytest.raises(InputError, match=r"lost/x.parquet.record.json: not a readable record"):
        speeds([("fov", "dino", tmp_path / "lost/x.parquet")])
    record_path(tmp_path / "lost/x.parquet").write_text('{"run": []}')
    with pytest.raises(InputError, match="not a readable record"):
        speeds([("fov", "dino", tmp_path / "lost/x.parquet")])


def test_speeds_are_drawn_with_shares_and_without_a_peak_they_are_left_out(tmp_path):
    out = tmp_path / "speed.svg"
    known = [
        step(tmp_path, "fov", "dino", images_per_second=50.0, share_of_peak=0.4),
        step(tmp_path, "fov", "cnn", images_per_second=2000.0),
        step(tmp_path, "cell", "dino", images_per_second=0.75, share_of_peak=1.3),
    ]
    draw_throughput(speeds(known), TITLES, True, [out])
    text = words(out)
    for said in ("fields a second", "cells a second", "share of the device", "40 %", "130 %", "no peak"):
        assert said in text
    assert "2,000" in text and "0.75" in text and NO_SHARE not in text
    assert "Made on cpu, 2 threads." in text and SIMULATED in text
    unknown = speeds(known).assign(share_of_peak=np.nan)
    draw_throughput(unknown, TITLES, False, [out])
    text = words(out)
    assert NO_SHARE in text and "share of the device" not in text and "fields a second" in text
    draw_throughput(unknown.assign(images_per_second=np.nan), TITLES, False, [out])
    assert words(out).count("not measured") == 3


def test_several_machines_are_told_apart(tmp_path):
    out = tmp_path / "speed.svg"
    both = [
        step(tmp_path, "fov", "dino", images_per_second=50.0, device="NVIDIA H100"),
        step(tmp_path, "fov", "untrained", images_per_second=60.0, how={"threads": 1}),
    ]
    draw_throughput(speeds(both), TITLES, True, [out])
    text = words(out)
    assert "NVIDIA H100, 2 threads" in text and "cpu, 1 thread" in text
    assert COLOURS[0].lower() in text and COLOURS[1].lower() in text
    draw_throughput(speeds(both[:1]), TITLES, True, [out])
    assert "Made on NVIDIA H100, 2 threads." in words(out) and COLOURS[1].lower() not in words(out)


def test_fields_of_each_protein_on_a_map_have_colours_of_their_own(tmp_path):
    rows = [(f"FID{n % 8:08d}-{n:04d}", f"FID{n % 8:08d}", f"G{n % 2}", n % 8 < 6) for n in range(48)]
    cells = pd.DataFrame(rows, columns=["cell_id", "fov_id", "gene", "shown"]).assign(label="er")
    cells[["x", "y"]] = np.random.default_rng(0).normal(size=(48, 2))
    figure = Figure()
    _draw_fields(figure, 10.0, cells)
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["G0: 3 fields", "G1: 3 fields"]
    for gene, axis in zip(("G0", "G1"), figure.axes, strict=True):
        grey, *fields = axis.collections
        assert len(grey.get_offsets()) == 48
        mine = cells[cells["shown"] & (cells["gene"] == gene)]
        expected = [of_field[["x", "y"]].to_numpy() for _, of_field in mine.groupby("fov_id")]
        assert all(np.allclose(found.get_offsets(), one) for found, one in zip(fields, expected, strict=True))
        assert len({tuple(field.get_facecolor()[0]) for field in fields}) == 3
    maps = cells.assign(backbone="dino", strategy="none")
    draw_cells_umap(maps, {("dino", "none"): "DINO"}, True, [tmp_path / "umap.svg"])
    assert "G1: 3 fields" in words(tmp_path / "umap.svg")
