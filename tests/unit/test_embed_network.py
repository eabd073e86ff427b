from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tifffile
import torch
from protloc.config.backbones import Network
from protloc.embed.encoder import Encoder
from protloc.embed.images import field_images
from protloc.embed.network import BLOCK, embed_network, on_cpu, on_gpu
from protloc.embed.speed import closeness, work_per_image
from protloc.errors import InputError
from protloc.fields import good_fields
from protloc.hashing import sha256_path
from protloc.models.preprocess import HIGH, LOW, NORMALIZATIONS, prepare, rescale, smallest
from protloc.models.view import View, view_of
from protloc.parallel import in_order
from protloc.variants import Variant
from protloc.vectors import read_vectors, variants_in

CPU = torch.device("cpu")
SIZES = [(96, 96), (64, 120), (96, 96), (126, 90), (64, 120), (96, 96), (96, 96)]
CNN = {
    "kind": "network",
    "title": "test",
    "architecture": "tf_efficientnet_lite0",
    "seed": 0,
    "slots": ["red", "green", "blue"],
    "natural": {"protein": "green", "nucleus": "blue"},
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "um_per_px": 0.4,
}
VIT = CNN | {
    "architecture": "vit_small_patch16_224",
    "options": {"embed_dim": 48, "depth": 2, "num_heads": 3, "dynamic_img_size": True},
    "size_multiple": 16,
}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    root = tmp_path_factory.mktemp("raw")
    rows = []
    for n, size in enumerate(SIZES):
        counts = np.random.default_rng(n).integers(300, 5000, (2, *size), dtype=np.uint16)
        tifffile.imwrite(root / f"{n}.tif", counts)
        digest = sha256_path(root / f"{n}.tif")
        rows.append((f"FID{n:08d}", f"{n}.tif", digest, *size, 0.2, "ok"))
    rows.append(("FID00000099", "99.tif", "", None, None, 0.2, "bad"))
    columns = ["fov_id", "key", "sha256", "height", "width", "pixel_size_um", "status"]
    return root, pd.DataFrame(rows, columns=columns)


FILL = Variant("replicate_fill")


def embed(study, folder: Path, backbone=CNN, variants=(FILL,), **how) -> Path:
    root, fovs = study
    path, network = folder / "vectors.parquet", Network.model_validate(backbone)
    how = {"batch_size": 4, "threads": 1} | how
    facts = embed_network(field_images(fovs, root), network, variants, path, **how)
    assert facts["images_per_second"] > 0 and facts["device"] == "cpu"
    assert 0 < facts["share_of_peak"] < 2 and facts["closest_to_float32"] == 1
    return path


@pytest.mark.parametrize("backbone", [CNN, VIT], ids=["cnn", "vit"])
def test_batch_size_threads_and_order_of_rows_change_no_byte(study, tmp_path, backbone):
    root, fovs = study
    first = embed(study, tmp_path, backbone).read_bytes()
    for n, how in enumerate([{"threads": 3}, {"batch_size": 1}, {"threads": 2, "batch_size": 32}]):
        mixed = (root, fovs.sample(frac=1, random_state=n))
        assert embed(mixed, tmp_path, backbone, **how).read_bytes() == first


def test_torch_threads_change_no_bit(study, tmp_path):
    try:
        files = []
        for threads in (1, 4):
            torch.set_num_threads(threads)
            files.append(embed(study, tmp_path).read_bytes())
    finally:
        torch.set_num_threads(1)
    assert files[0] == files[1]


def test_a_field_has_the_same_vector_in_any_company(study, tmp_path):
    root, fovs = study
    ids, all_vectors = read_vectors(embed(study, tmp_path), FILL)
    alone = embed((root, fovs[fovs["fov_id"] == ids[3]]), tmp_path)
    assert np.array_equal(read_vectors(alone, FILL)[1][0], all_vectors[3])


@pytest.mark.parametrize("backbone", [CNN, VIT], ids=["cnn", "vit"])
def test_variants_together_give_what_each_gives_alone(study, tmp_path, backbone):
    names = ["map_natural", "map_random_1", "replicate_concat"]
    variants = [Variant(name, scale) for name in names for scale in (0.5, 1, 2)]
    together = embed(study, tmp_path, backbone, variants)
    assert variants_in(together) == sorted(variants)
    (tmp_path / "alone").mkdir()
    for variant in variants:
        alone = embed(study, tmp_path / "alone", backbone, [variant])
        for one, other in zip(read_vectors(alone, variant), read_vectors(together, variant), strict=True):
            assert np.array_equal(one, other)


def test_a_scale_shows_more_pixels_for_the_same_field(study, tmp_path):
    """At twice the scale a network is shown what it is shown at half the µm per px."""
    finer = VIT | {"um_per_px": VIT["um_per_px"] / 2}
    (tmp_path / "finer").mkdir()
    twice = read_vectors(embed(study, tmp_path, VIT, [Variant("map_natural", 2)]), Variant("map_natural", 2))
    own = read_vectors(
        embed(study, tmp_path / "finer", finer, [Variant("map_natural")]), Variant("map_natural")
    )
    assert np.array_equal(twice[1], own[1])


def test_a_field_in_tiles_has_the_mean_of_their_vectors(study, tmp_path):
    root, fovs = study
    tiled = VIT | {"tile_px": 32}
    ids, vectors = read_vectors(embed(study, tmp_path, tiled), FILL)
    encoder = Encoder(Network.model_validate(VIT), [FILL], CPU)
    for field in good_fields(fovs):
        counts, starts = field.read(root), []
        for length in counts.shape[1:]:  # 32 px at 0.4 µm are 64 px of a field
            count = -(-length // 64)
            starts.append([round(n * (length - 64) / max(count - 1, 1)) for n in range(count)])
        tiles = [counts[:, top : top + 64, left : left + 64] for top in starts[0] for left in starts[1]]
        expected = encoder.encode(torch.from_numpy(np.stack(tiles)), 0.2)[FILL].mean(axis=0)
        assert np.allclose(vectors[ids.index(field.fov_id)], expected, atol=1e-4)


def test_only_good_fields_are_embedded_in_order_and_the_file_says_how(study, tmp_path):
    variants = [Variant("channelwise_concat"), Variant("channelwise_concat", 2)]
    path = embed(study, tmp_path, VIT, variants)
    ids, vectors = read_vectors(path, variants[0])
    assert ids == [f"FID{n:08d}" for n in range(len(SIZES))]
    assert vectors.shape == (len(SIZES), 96) and vectors.dtype == np.float32
    footer = {k.decode(): v.decode() for k, v in pq.read_schema(path).metadata.items()}
    assert json.loads(footer["dimensions"]) == {"channelwise_concat": 96}
    assert footer["precision"] == "float32" and footer["feature"] == "class token after the last norm"
    matrices = json.loads(footer["matrices"])["channelwise_concat"]
    assert matrices == [[[0, 0], [0, 0], [1, 0]], [[0, 0], [0, 1], [0, 0]]]
    assert json.loads(footer["normalization"])["mean"] == VIT["mean"]
    scales = json.loads(footer["scales"])
    assert scales["1"] == {"um_per_px": 0.4, "size_multiple": 16} and scales["2"]["um_per_px"] == 0.2
    assert len(footer["weights_sha256"]) == 64


def test_a_variant_that_is_not_in_the_file_is_an_error(study, tmp_path):
    with pytest.raises(InputError, match="no vectors of map_natural-x2"):
        read_vectors(embed(study, tmp_path), Variant("map_natural", 2))


def test_blocks_give_the_same_vectors_to_float_precision_as_fields_alone(study):
    root, fovs = study
    encoder = Encoder(Network.model_validate(CNN), [FILL], CPU)
    found = dict(on_cpu(encoder, field_images(fovs, root).images, 2))
    for field in good_fields(fovs):
        alone = encoder.encode(torch.from_numpy(field.read(root)[None]), field.pixel_size_um)
        assert np.allclose(found[field.fov_id][FILL], alone[FILL][0], atol=1e-4)


@pytest.mark.parametrize("backbone", [CNN, VIT], ids=["cnn", "vit"])
def test_neighbours_and_place_in_a_block_change_no_bit(backbone):
    encoder = Encoder(Network.model_validate(backbone), [FILL], CPU)
    random = np.random.default_rng(5)
    counts = random.integers(300, 5000, (3 * BLOCK, 2, 96, 96), dtype=np.uint16)

    def encode(order: np.ndarray) -> np.ndarray:
        blocks = torch.from_numpy(counts[order]).split(BLOCK)
        return np.concatenate([encoder.encode(block, 0.2)[FILL] for block in blocks])

    first = encode(np.arange(len(counts)))
    for _ in range(4):
        order = random.permutation(len(counts))
        assert np.array_equal(encode(order), first[order])


def test_a_changed_file_ends_the_work_with_its_name(study, tmp_path):
    root, fovs = study
    wrong = fovs.assign(sha256=fovs["sha256"].where(fovs["key"] != "4.tif", "0" * 64))
    with pytest.raises(InputError, match=r"4\.tif"):
        embed((root, wrong), tmp_path, VIT, threads=2)


def test_no_good_field_is_an_error(study, tmp_path):
    root, fovs = study
    with pytest.raises(InputError, match="status"):
        embed((root, fovs[fovs["status"] == "bad"]), tmp_path, VIT)


def test_results_come_in_order_and_wait_in_a_bounded_window():
    started = []
    for item, result in in_order(lambda n: started.append(n) or n * n, range(50), workers=3, ahead=4):
        assert result == item * item
        assert len(started) <= item + 6
    assert sorted(started) == list(range(50))


def test_percentiles_are_those_of_numpy_by_nearest_rank_and_of_selection_as_on_a_gpu():
    counts = np.random.default_rng(0).integers(0, 65536, (2, 2, 61, 47), dtype=np.uint16)
    flat = torch.from_numpy(counts).flatten(start_dim=2)
    ranks = [1 + round(share * (flat.shape[-1] - 1)) for share in (LOW, HIGH)]
    for share, rank, found in zip((LOW, HIGH), ranks, smallest(flat, ranks), strict=True):
        expected = np.percentile(counts.reshape(2, 2, -1), 100 * share, axis=-1, method="nearest")
        assert np.array_equal(found, expected)
        assert torch.equal(found, flat.float().kthvalue(rank, dim=-1).values)


def test_intensities_do_not_depend_on_exposure_or_offset():
    counts = np.random.default_rng(1).integers(0, 4000, (1, 2, 64, 64), dtype=np.uint16)
    scaled = rescale(torch.from_numpy(counts))
    assert scaled.min() == 0 and scaled.max() == 1
    assert torch.allclose(rescale(torch.from_numpy(counts * 4 + 1000)), scaled, atol=1e-6)


@pytest.mark.parametrize("value", [0, 65535])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_constant_image_becomes_zeros(value, normalization):
    counts = torch.full((1, 2, 64, 64), value, dtype=torch.uint16)
    assert not prepare(counts, 0.2, View(0.4, None, 16), CPU, normalization).any()


def test_standardized_images_have_moments_0_and_1_as_dino4cells_has_them():
    counts = np.random.default_rng(2).integers(200, 9000, (3, 2, 64, 96), dtype=np.uint16)
    found = prepare(torch.from_numpy(counts), 0.2, View(0.2, None, 1), CPU, "standardize").numpy()
    low, high = (f(counts.astype(float), axis=(2, 3), keepdims=True) for f in (np.min, np.max))
    scaled = (counts - low) / (high - low)
    mean, std = (f(scaled, axis=(2, 3), keepdims=True) for f in (np.mean, np.std))
    assert np.allclose(found, (scaled - mean) / (std + 1e-7), atol=1e-5)
    shrunk = prepare(torch.from_numpy(counts), 0.2, View(0.4, None, 8), CPU, "standardize")
    assert shrunk.shape == (3, 2, 32, 48)
    assert shrunk.mean(dim=(2, 3)).abs().max() < 1e-6
    assert (shrunk.std(dim=(2, 3), correction=0) - 1).abs().max() < 1e-5


def test_minmax_reaches_0_and_1_in_each_channel():
    counts = torch.from_numpy(np.random.default_rng(3).integers(200, 9000, (2, 2, 32, 32), dtype=np.uint16))
    found = prepare(counts, 0.2, View(0.2, None, 1), CPU, "minmax")
    assert (found.amin(dim=(2, 3)) == 0).all() and (found.amax(dim=(2, 3)) == 1).all()


def test_joint_minmax_keeps_the_ratio_of_the_channels():
    counts = np.random.default_rng(3).integers(200, 9000, (2, 2, 32, 32), dtype=np.uint16)
    counts[:, 1] //= 4
    found = prepare(torch.from_numpy(counts), 0.2, View(0.2, None, 1), CPU, "minmax_joint").numpy()
    low, high = (f(counts.astype(float), axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
    assert np.allclose(found, (counts - low) / (high - low), atol=1e-6)
    assert found[:, 1].max() < 0.3


@pytest.mark.parametrize(
    ("side", "factor", "multiple", "expected"),
    [(256, 0.5, 1, 128), (600, 0.5, 16, 304), (126, 0.5, 16, 64), (20, 0.1, 16, 16), (252, 1.0, 14, 252)],
)
def test_sides_are_rounded_to_the_multiple(side, factor, multiple, expected):
    assert View(1 / factor, None, multiple).shown(side, side, 1.0) == (expected, expected)


@pytest.mark.parametrize(("side", "pixel", "factor", "expected"), [(116, 0.2, 1, 224), (249, 0.1, 2, 448)])
def test_a_view_of_a_fixed_side_has_it_whatever_the_crop(side, pixel, factor, expected):
    assert View(None, 224, 16).at(factor).shown(side, side, pixel) == (expected, expected)


def test_a_network_of_one_image_size_is_shown_that_size(study, tmp_path):
    fixed = CNN | {"architecture": "vit_tiny_patch16_224", "options": {"img_size": 32}, "image_px": 32}
    network = Network.model_validate(fixed)
    assert view_of(network, "fov").shown(50, 20, 0.2) == (32, 32)
    assert view_of(network, "cell").shown(116, 116, 0.2) == (32, 32)
    variants = [FILL, Variant("replicate_fill", 2)]
    path = embed(study, tmp_path, fixed, variants)
    assert read_vectors(path, variants[1])[1].shape == (len(SIZES), 192)


@pytest.mark.parametrize(("length", "tiles"), [(600, 3), (249, 1), (250, 2), (100, 1)])
def test_tiles_cover_an_image_evenly(length, tiles):
    view = View(0.08, None, 16, tile_px=640)  # 51.2 µm: 248 px of 0.2063 µm
    rows = [rows for rows, columns in view.tiles(length, 100, 0.2056) if columns.start == 0]
    assert len(rows) == tiles
    assert rows[0].start == 0 and rows[-1].stop == length
    assert all(later.start <= earlier.stop for earlier, later in pairwise(rows))


def test_the_work_of_an_image_is_that_of_the_published_architecture():
    large = VIT | {"options": {"dynamic_img_size": True}, "um_per_px": 0.2}
    encoder = Encoder(Network.model_validate(large), [FILL], CPU)
    counts = torch.zeros(2, 2, 224, 224, dtype=torch.uint16)
    assert work_per_image(encoder, counts, 0.2) == pytest.approx(9.2e9, rel=0.01)  # ViT-S/16 at 224 px


def test_reduced_precision_is_compared_with_float32(caplog):
    encoder = Encoder(Network.model_validate(VIT), [FILL], CPU)
    counts = torch.from_numpy(np.random.default_rng(0).integers(300, 5000, (4, 2, 64, 64), dtype=np.uint16))
    encoder.precision = torch.bfloat16
    assert 0.99 < closeness(encoder, counts, 0.2) < 1 and not caplog.records
    exact = encoder.vectors
    encoder.vectors = lambda *how: {k: v if how[2:] else v.flip(1) for k, v in exact(*how).items()}
    assert closeness(encoder, counts, 0.2) < 0.99 and "cosine" in caplog.text


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_way_through_a_gpu_gives_the_vectors_of_a_cpu(study, monkeypatch, batch_size):
    """The GPU's own code, but for the pinning of memory, which needs a driver."""
    root, fovs = study
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    encoder = Encoder(Network.model_validate(VIT), [FILL], CPU)
    images = field_images(fovs, root).images
    expected = dict(on_cpu(encoder, images, 1))
    found = dict(on_gpu(encoder, images, batch_size, 2))
    assert found.keys() == expected.keys() == {image.name for image in images}
    for name, vectors in expected.items():
        assert np.allclose(found[name][FILL], vectors[FILL], atol=1e-4)
