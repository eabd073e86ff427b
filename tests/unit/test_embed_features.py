from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tifffile
from protloc.embed.features import embed_features
from protloc.embed.features.handmade import compute
from protloc.embed.features.intensity import above_background, correlation
from protloc.embed.features.radial import radial, signed_distance
from protloc.embed.features.texture import bands, highest_around, local_patterns
from protloc.embed.images import field_images
from protloc.hashing import sha256_path
from protloc.modules import SCRIPTS
from protloc.variants import Variant
from protloc.vectors import read_vectors
from scipy import ndimage

PX = 0.206349


def noise(seed: int, size: int = 128) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(2, size, size)), (0, 3, 3))
    return (1000 + 8000 * np.maximum(smooth, 0) + rng.normal(0, 5, smooth.shape)).astype(np.uint16)


def disk(size: int = 128, radius: float = 30) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size / 2
    return np.hypot(y, x) < radius


@pytest.mark.parametrize(
    "counts",
    [
        np.zeros((2, 64, 64), np.uint16),
        np.full((2, 70, 90), 65535, np.uint16),
        np.stack([noise(0)[0], noise(0)[1] * 0]),
        np.stack([noise(0)[0] * 0, noise(0)[1]]),
        np.eye(64, dtype=np.uint16)[None].repeat(2, axis=0),
        noise(1, 40),
    ],
    ids=["black", "saturated", "no protein", "no nucleus", "a line", "small"],
)
def test_features_are_finite_and_named_alike(counts):
    numbers = compute(counts, PX)
    assert list(numbers) == list(compute(noise(2), PX))
    assert np.isfinite(list(numbers.values())).all()


def test_exposure_changes_brightness_alone():
    counts = noise(3)
    before, after = compute(counts, PX), compute(counts * 3 + 500, PX)
    for name in before:
        if not name.endswith("brightness"):
            assert after[name] == pytest.approx(before[name], abs=2e-2)
    assert after["protein_brightness"] == pytest.approx(before["protein_brightness"] + np.log2(3), abs=1e-2)


@pytest.mark.parametrize("turn", [np.fliplr, np.flipud, np.transpose])
def test_features_hardly_depend_on_orientation(turn):
    counts = noise(4, 129)  # odd, so that every second pixel stays every second pixel
    turned = np.stack([turn(channel) for channel in counts])
    before, after = (np.array(list(compute(image, PX).values())) for image in (counts, turned))
    assert np.abs(before - after).max() < 1e-3


def test_protein_is_found_at_its_distance_from_the_rim():
    nucleus = disk().astype(np.float32) * 1000
    distance = signed_distance(disk()) * PX
    for low, high, name in [(-3, -2, "at_-3um"), (-0.4, 0.4, "at_-0.4um"), (2, 3, "at_2um")]:
        ring = ((distance > low) & (distance < high)).astype(np.float32) * 1000
        numbers = {key: value for key, value in radial(nucleus, ring, PX).items() if key.startswith("at_")}
        assert max(numbers, key=numbers.get) == name


def test_the_signed_distance_is_in_pixels_and_negative_inside():
    mask = np.zeros((21, 21), bool)
    mask[8:13, 8:13] = True
    distance = signed_distance(mask)
    assert (distance[10, 10], distance[10, 8], distance[10, 7], distance[10, 0]) == (-2.5, -0.5, 0.5, 7.5)


@pytest.mark.parametrize("sigma_um", [0.4, 0.8, 1.6])
def test_a_grain_is_in_the_band_of_its_size_whatever_the_px(sigma_um):
    for px in (0.1, 0.2):
        image = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=(256, 256)), sigma_um / px)
        energies = {name: float(band.std()) for name, band in bands(image.astype(np.float32), px)}
        assert max(energies, key=energies.get) == pytest.approx(sigma_um, rel=1.01)


def test_local_patterns_tell_edges_from_spots():
    flat, edge, spot = np.zeros((9, 9)), np.zeros((9, 9)), np.zeros((9, 9))
    edge[:, 5:] = 1
    spot[4, 4] = 1
    assert local_patterns(flat)[0] == 1
    assert local_patterns(edge)[3] == pytest.approx(1 / 7)
    assert local_patterns(spot)[1] == pytest.approx(8 / 49)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 1), (9, 14)])
def test_the_highest_around_is_that_of_scipy(shape):
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert np.array_equal(highest_around(image), ndimage.maximum_filter(image, 3))


def test_correlation_is_pearsons():
    first, second = noise(6).astype(np.float32)
    assert correlation(first, second) == pytest.approx(
        np.corrcoef(first.ravel(), second.ravel())[0, 1], abs=1e-5
    )


def test_background_is_taken_off_per_channel():
    counts = noise(7)
    assert np.abs(above_background(counts) - above_background(counts + 100)).max() < 1


@pytest.mark.parametrize(("method", "dimension"), [("handmade", 74), ("constant", 1)])
def test_threads_and_order_of_rows_change_no_byte(tmp_path, method, dimension):
    rows = []
    for n in range(5):
        path, side = tmp_path / f"{n}.tif", 64 + 8 * n
        tifffile.imwrite(path, noise(n, side))
        rows.append((f"FID{n:08d}", path.name, sha256_path(path), side, side, PX, "ok" if n else "bad"))
    columns = ["fov_id", "key", "sha256", "height", "width", "pixel_size_um", "status"]
    fovs = pd.DataFrame(rows, columns=columns)
    files = [tmp_path / "first.parquet", tmp_path / "again.parquet"]
    embed_features(field_images(fovs, tmp_path), method, files[0], threads=1)
    facts = embed_features(field_images(fovs[::-1], tmp_path), method, files[1], threads=3)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert facts["images_per_second"] > 0
    ids, vectors = read_vectors(files[0], Variant("none"))
    assert ids == [f"FID{n:08d}" for n in range(1, 5)]
    assert vectors.shape == (4, dimension)
    assert method == "handmade" or (vectors == 1).all()


def test_features_do_not_import_torch():
    code = "import sys, protloc.embed.features; sys.exit('torch' in sys.modules or 'timm' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SCRIPTS)
