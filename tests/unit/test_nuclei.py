"""Nuclei found without weights, against labels, counts by eye and the simulator's truth; and their flags."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from protloc.cells.flags import field_problem, flag_nuclei
from protloc.cells.focus import rim_blur
from protloc.cells.matching import matched_f1, overlaps
from protloc.cells.nuclei import cellpose, stardist
from protloc.cells.nuclei.classical import find_nuclei
from protloc.cells.nuclei.darklines import cut_at_dark_lines
from protloc.cells.nuclei.diameter import working_image
from protloc.cells.nuclei.ellipse import ellipse_fit, likeness, moments
from protloc.cells.nuclei.foreground import tidy
from protloc.cells.nuclei.labels import in_one_piece, in_reading_order, without_bites
from protloc.cells.nuclei.light import DIAMETER, Light
from protloc.cells.nuclei.merging import merge
from protloc.cells.nuclei.methods import SEGMENTERS
from protloc.cells.nuclei.scale import area_average, interpolated
from protloc.config.settings import Cells
from protloc.errors import InputError
from protloc.flags import FLAGS
from protloc.simulate.field import Field, render_field
from protloc.simulate.traits import PIXEL_UM, draw_traits
from scipy import ndimage

pytestmark = pytest.mark.filterwarnings("error")
BY_EYE = {"fov_00007": 68, "fov_00027": 133, "fov_00156": 81}  # those cut by the edge included
USUAL_UM = 15.0
OF_NUCLEI = [flag for flag in FLAGS if flag != "beyond_field"]  # which is of crops


def simulated(seed: int, crowding: float, size: int = 400) -> Field:
    rng = np.random.default_rng([seed, 1])
    return render_field({"chromatin": 3}, replace(draw_traits(rng), crowding=crowding), size, rng)


def ellipses(shape: tuple[int, int], *each: tuple[float, ...]) -> np.ndarray:
    """Labels of ellipses: (y, x, half height, half width); later ones lie below."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for label, (cy, cx, height, width) in reversed(list(enumerate(each, 1))):
        labels[((y - cy) / height) ** 2 + ((x - cx) / width) ** 2 < 1] = label
    return labels


def camera(light: np.ndarray, blur: float = 1.0) -> np.ndarray:
    """Counts of light above an offset of 400, with some noise."""
    noise = np.random.default_rng(3).normal(0, 15, light.shape)
    return np.clip(ndimage.gaussian_filter(light.astype(float), blur) + 400 + noise, 0, 65535).astype(
        np.uint16
    )


@pytest.fixture(scope="module")
def labelled() -> tuple[np.ndarray, np.ndarray]:
    """The real fluorescence image that stardist ships, and its 125 labels."""
    spec = find_spec("stardist")
    if spec is None:
        pytest.skip("stardist, whose labelled image this needs, is not installed")
    folder = Path(spec.origin).parent / "data/images"
    image, truth = (tifffile.imread(folder / name) for name in ("img2d.tif", "mask2d.tif"))
    return image, in_reading_order(truth)


@pytest.fixture(scope="module")
def field() -> Field:
    return simulated(7, 1.0)


def found(field: Field) -> np.ndarray:
    return find_nuclei(field.image[0], PIXEL_UM)


@pytest.mark.parametrize("error", [0.6, 1.0, 1.8])
def test_a_labelled_real_image_is_segmented_even_with_a_wrong_pixel_size(labelled, error):
    image, truth = labelled
    assert truth.max() == 125
    diameter = np.sqrt(np.median(np.bincount(truth.ravel())[1:]) * 4 / np.pi)
    labels = find_nuclei(image, error * USUAL_UM / diameter)
    assert matched_f1(truth, labels) >= 0.90
    assert matched_f1(truth, labels, 0.7) >= 0.75


@pytest.mark.parametrize("name", BY_EYE)
def test_counts_in_real_projections_are_those_by_eye_within_a_tenth(shared, name):
    image = tifffile.imread(shared / f"data/opencell-nuclei/{name}.tif")
    assert find_nuclei(image, PIXEL_UM).max() == pytest.approx(BY_EYE[name], rel=0.1)


@pytest.mark.parametrize("crowding", [0.4, 1.0, 1.6, 2.5])
def test_the_simulators_nuclei_are_found_at_every_density(crowding):
    fields = [simulated(seed, crowding) for seed in range(4)]
    scores = [matched_f1(field.nuclei, found(field)) for field in fields]
    assert np.mean(scores) >= 0.90
    assert min(scores) >= 0.8


def test_labels_are_numbered_in_reading_order_and_in_one_piece(field):
    labels = found(field)
    assert labels.dtype == np.int32
    assert labels.shape == field.image.shape[1:]
    seen, first = np.unique(labels, return_index=True)
    assert seen.tolist() == list(range(labels.max() + 1))
    assert (np.diff(first[1:]) > 0).all()
    assert all(ndimage.label(labels == label)[1] == 1 for label in seen[1:])
    assert (found(field) == labels).all()


def test_brightness_offset_and_orientation_do_not_matter(field):
    counts, labels = field.image[0], found(field)
    dimmer = (counts // 3 + 2000).astype(np.uint16)
    assert matched_f1(labels, find_nuclei(dimmer, PIXEL_UM), 0.9) > 0.98
    for turned in (np.rot90, np.transpose, np.flipud):
        assert matched_f1(turned(labels), find_nuclei(turned(counts).copy(), PIXEL_UM), 0.7) > 0.9


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_resampled_fields_have_the_same_nuclei(field, factor):
    size = round(factor * len(field.nuclei))
    image = np.round(area_average(field.image[0], (size, size))).astype(np.uint16)
    at = ((np.arange(size) + 0.5) / factor).astype(int)
    assert matched_f1(field.nuclei[np.ix_(at, at)], find_nuclei(image, PIXEL_UM / factor)) > 0.9


def test_noise_does_little(field):
    noise = np.random.default_rng(0).normal(0, 300, field.image[0].shape)
    noisy = np.clip(field.image[0] + noise, 0, 65535).astype(np.uint16)
    assert matched_f1(field.nuclei, find_nuclei(noisy, PIXEL_UM)) > 0.88


DEGENERATE = {
    "all zeros": (np.zeros((200, 200)), 0),
    "constant": (np.full((300, 200), 500), 0),
    "at the limit everywhere": (np.full((64, 64), 65535), 0),
    "nothing but noise": (np.random.default_rng(0).normal(400, 20, (500, 500)), 0),
    "a few counts of noise": (np.random.default_rng(0).poisson(3, (300, 300)), 0),
    "one hot pixel": (400 + np.pad([[60000]], 99), 0),
    "tiny and empty": (np.random.default_rng(0).normal(400, 20, (64, 64)), 0),
    "a row of pixels": (np.arange(40)[None] * 100, 0),
    "one nucleus": (camera(2000 * ellipses((300, 300), (150, 140, 40, 32))), 1),
    "one nucleus that fills the field": (camera(2000 * ellipses((64, 64), (30, 33, 28, 24))), 1),
    "a saturated blob": (400 + 65135 * ellipses((300, 300), (150, 140, 40, 32)), 1),
}


def flags_of(labels: np.ndarray, counts: np.ndarray) -> pd.DataFrame:
    """The flags of all labels, a row each."""
    return pd.DataFrame(flag_nuclei(labels, counts, rim_blur(labels, counts), PIXEL_UM))


def problem_of(labels: np.ndarray, counts: np.ndarray) -> str | None:
    """What is wrong with the field."""
    return field_problem(labels, counts, rim_blur(labels, counts))


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_fields_neither_fail_nor_warn(case):
    image, expected = DEGENERATE[case]
    counts = np.clip(image, 0, 65535).astype(np.uint16)
    labels = find_nuclei(counts, PIXEL_UM)
    assert (labels.max(), labels.dtype, labels.shape) == (expected, np.int32, counts.shape)
    assert flags_of(labels, counts).shape == (expected, len(OF_NUCLEI))
    assert (problem_of(labels, counts) is None) == case.startswith("one nucleus")


def test_a_dim_nucleus_beside_a_bright_one_is_found():
    truth = ellipses((300, 300), (150, 110, 40, 34), (150, 180, 38, 34))
    counts = camera(np.array([0, 8000, 1500])[truth])
    assert matched_f1(truth, find_nuclei(counts, PIXEL_UM), 0.7) == 1


def test_haze_is_no_nucleus_or_said_to_be_out_of_focus():
    y, x = np.mgrid[:400, :400]
    haze = np.exp(-((y - 120) ** 2 + (x - 120) ** 2) / 2 / 60**2)
    truth = ellipses((400, 400), (300, 300, 36, 36), (120, 300, 36, 30))
    assert matched_f1(truth, find_nuclei(camera(300 * haze + 2000 * (truth > 0)), PIXEL_UM), 0.7) == 1
    counts = camera(1200 * haze + 2000 * (truth > 0))
    labels = find_nuclei(counts, PIXEL_UM)
    blurred = 1 + np.flatnonzero(flags_of(labels, counts)["out_of_focus"])
    assert matched_f1(truth, np.where(np.isin(labels, blurred), 0, labels), 0.7) == 1


def test_the_scale_is_that_of_the_nuclei_whatever_the_pixel_size_says(field):
    sides = [len(working_image(field.image[0], PIXEL_UM * error)) for error in (0.55, 1.0, 1.8)]
    assert max(sides) < 1.2 * min(sides)
    area = np.bincount(field.nuclei.ravel())[1:]
    diameter = np.sqrt(np.median(area[area > 1000]) * 4 / np.pi)
    assert np.mean(sides) / len(field.nuclei) == pytest.approx(DIAMETER / diameter, rel=0.2)


@pytest.mark.parametrize("shape", [(3, 4), (6, 8), (5, 7), (13, 3)])
def test_area_averages_keep_every_mean(shape):
    image = np.random.default_rng(1).integers(0, 65536, (12, 16), dtype=np.uint16)
    small = area_average(image, shape)
    assert small.dtype == np.float32
    assert small.mean() == pytest.approx(image.mean(), rel=1e-6)
    if shape == (3, 4):
        np.testing.assert_allclose(small, image.reshape(3, 4, 4, 4).mean(axis=(1, 3)), rtol=1e-6)


def test_interpolation_is_exact_on_a_plane():
    y, x = np.mgrid[:5, :6].astype(np.float32)
    rows, columns = np.array([0.25, 3.5]), np.array([1.5, 2.0, 4.75])
    np.testing.assert_allclose(interpolated(2 * y + x, rows, columns), 2 * rows[:, None] + columns, rtol=1e-6)


def sums(labels: np.ndarray) -> np.ndarray:
    return moments(labels, np.zeros(labels.shape, bool))


def test_moments_add_up_and_ellipses_fit_best():
    two = ellipses((80, 120), (40, 30, 20, 20), (40, 70, 20, 20))
    apart, joined = sums(two), sums((two > 0).astype(np.int32))
    np.testing.assert_allclose(apart[1] + apart[2], joined[1])
    assert ellipse_fit(apart[1].tolist()) == pytest.approx(1, abs=0.005)
    assert ellipse_fit(joined[1].tolist()) == pytest.approx(0.894, abs=0.01)
    tilted = ndimage.rotate(ellipses((120, 120), (60, 60, 20, 40)), 30, order=0)
    assert ellipse_fit(sums(tilted)[1].tolist()) == pytest.approx(1, abs=0.01)
    assert ellipse_fit(sums(np.ones((1, 2), np.int32))[1].tolist()) == pytest.approx(3 / np.pi)


def test_a_nucleus_is_more_like_one_than_pieces_pairs_and_rods():
    radius = DIAMETER / 2
    whole = likeness(sums(ellipses((60, 60), (30, 30, radius, radius)))[1].tolist())
    others = {
        "half": ellipses((60, 60), (30, 30, radius, radius)) * (np.arange(60) < 30),
        "speck": ellipses((60, 60), (30, 30, radius / 3, radius / 3)),
        "rod": ellipses((60, 120), (30, 60, radius / 2.2, radius * 2.2)),
        "pair": (ellipses((60, 90), (30, 30, radius, radius), (30, 30 + 2 * radius, radius, radius)) > 0) * 1,
    }
    assert whole > 0.95
    assert all(likeness(sums(shape)[1].tolist()) < 0.6 for shape in others.values())


def test_lines_a_pixel_wide_can_be_joined():
    lines = np.zeros((9, 300), np.int32)
    lines[4], lines[5] = 1, 2
    merged, worth = merge(lines, np.zeros(lines.shape, bool))
    assert merged.max() >= 1
    assert worth > 0


def test_fragments_are_joined_to_the_nuclei_they_come_from():
    radius = DIAMETER / 2
    truth = ellipses((60, 100), (30, 30, radius, radius), (30, 30 + 1.9 * radius, radius, 0.9 * radius))
    angle = np.arctan2(*(np.mgrid[:60, :100] - np.array([30, 30])[:, None, None]))
    pieces = np.where(truth == 1, 2 + np.digitize(angle, [-1, 1.5]), truth)
    pieces = np.where((truth == 2) & (np.arange(60)[:, None] < 25), 5, np.where(truth == 2, 6, pieces))
    merged, worth = merge(in_reading_order(pieces), np.zeros(truth.shape, bool))
    assert matched_f1(truth, merged, 0.99) == 1
    assert worth == pytest.approx((truth > 0).sum(), rel=0.1)


def test_nucleoli_are_filled_and_gaps_between_nuclei_are_not():
    mask = np.zeros((60, 90), bool)
    mask[10:50, 10:80] = True
    mask[28:33, 20:25] = mask[28:33, 60:65] = False
    clear = np.where(mask, 1000, 0).astype(np.float32)
    clear[28:33, 20:25] = 600
    light = Light(clear, clear, np.full_like(clear, 800), 1000.0, 1.0)
    assert (tidy(mask, light) != mask).sum() == 25
    assert tidy(mask, light)[30, 22]


def test_dark_lines_cut_what_no_outline_tells_apart():
    radius = DIAMETER / 2
    square = np.zeros((80, 80), np.int32)
    square[15:65, 15:65] = 1
    light = 100.0 * square
    light[39:41], light[:, 39:41] = 20, 20
    cut = cut_at_dark_lines(
        square, ndimage.gaussian_filter(light, 1).astype(np.float32), np.zeros((80, 80), bool)
    )
    assert cut.max() == 4
    whole = ellipses((80, 80), (40, 40, radius, radius))
    assert (cut_at_dark_lines(whole, light.astype(np.float32), np.zeros((80, 80), bool)) == whole).all()


def test_bites_and_holes_are_closed_but_gaps_between_nuclei_are_not():
    whole = ellipses((60, 60), (30, 30, 15, 15))
    bitten = whole.copy()
    bitten[28:32, 36:], bitten[24:28, 20:24] = 0, 0
    assert (without_bites(bitten, 3) != whole).sum() < 15
    pair = ellipses((60, 80), (30, 20, 15, 14), (30, 52, 15, 15))
    assert (without_bites(pair, 3) == pair).all()


def test_only_the_largest_piece_is_kept():
    labels = np.array([[2, 2, 0, 1, 0], [0, 0, 2, 0, 1]])
    assert in_one_piece(labels).tolist() == [[2, 2, 0, 1, 0], [0, 0, 0, 0, 0]]


def test_objects_are_matched_one_to_one():
    truth = np.array([[1, 1, 0, 2, 2, 2]])
    labels = np.array([[7, 7, 7, 0, 9, 9]])
    np.testing.assert_allclose(overlaps(truth, labels), [[2 / 3, 0], [0, 2 / 3]])
    assert matched_f1(truth, labels) == 1
    assert matched_f1(truth, labels, 0.7) == 0
    assert matched_f1(truth, np.array([[1, 2, 0, 3, 3, 3]])) == pytest.approx(4 / 5)
    assert matched_f1(truth, np.zeros_like(truth)) == 0
    assert matched_f1(np.zeros_like(truth), np.zeros_like(truth)) == 1


def test_every_configured_segmenter_is_there():
    names = Cells.model_fields["segmenter"].annotation.__args__
    assert set(SEGMENTERS) == set(names)


@pytest.mark.parametrize("method", [stardist, cellpose])
def test_missing_weights_are_named(method, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^data/weights/\S+: missing; .*classical$"):
        method.find_nuclei(np.arange(100, dtype=np.uint16).reshape(10, 10), PIXEL_UM)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cellpose.WEIGHTS.parent.mkdir(parents=True)
    cellpose.WEIGHTS.touch()
    with pytest.raises(InputError, match=r"^cells.segmenter: cellpose: .*install"):
        cellpose.find_nuclei(np.arange(100, dtype=np.uint16).reshape(10, 10), PIXEL_UM)


NINE = [(y, x, 30, 36) for y in (90, 230, 370) for x in (90, 230, 370)]


def flagged(labels: np.ndarray, light: np.ndarray, blur: float = 1.0) -> dict[str, list[int]]:
    """The labels that have each flag."""
    table = flags_of(labels, camera(light, blur))
    assert list(table) == OF_NUCLEI
    assert len(table) == labels.max()
    assert set(table.dtypes) == {np.dtype(bool)}
    return {flag: (1 + np.flatnonzero(table[flag])).tolist() for flag in OF_NUCLEI if table[flag].any()}


def test_ordinary_nuclei_have_no_flags():
    labels = ellipses((460, 460), *NINE)
    assert flagged(labels, 2000 * (labels > 0)) == {}


def test_each_flag_is_for_its_own_kind():
    odd = [(5, 230, 30, 36), (90, 90, 12, 14), (230, 400, 36, 30), (160, 90, 14, 36), (90, 370, 30, 36)]
    labels = ellipses((460, 460), *odd, *(NINE[place] for place in (3, 4, 6, 7, 8)))
    labels[95:, 365:][labels[95:, 365:] == 5] = 0
    level = np.full(labels.max() + 1, 2000.0)
    level[[0, 3, 4]] = 0, 70000, 4500
    assert flagged(labels, level[labels]) == {
        "touches_border": [1],
        "too_small": [2],
        "saturated": [3],
        "mitotic_like": [4],
        "odd_shape": [5],
    }


def test_shape_and_size_of_a_cut_nucleus_say_nothing():
    labels = ellipses((460, 460), (0, 90, 30, 36), *NINE[3:])
    level = np.array([0, 4500, *[2000] * 6])
    assert flagged(labels, level[labels]) == {"touches_border": [1]}


def test_a_blurred_rim_is_out_of_focus_and_measured_in_px():
    labels = ellipses((460, 460), *NINE)
    sharp, soft = (ndimage.gaussian_filter(2000.0 * (labels > 0), sigma) for sigma in (1, 4))
    light = np.where(np.arange(460) < 160, soft, sharp)
    assert flagged(labels, light) == {"out_of_focus": [1, 4, 7]}
    for sigma in (1.0, 2.0, 3.0):
        width = rim_blur(labels, camera(2000 * (labels > 0), sigma))
        assert width == pytest.approx([sigma] * 9, rel=0.25)
    assert np.isnan(rim_blur(np.ones((50, 50), np.int32), np.ones((50, 50), np.uint16))).all()


def test_a_field_says_what_is_wrong_with_all_of_it():
    labels = ellipses((460, 460), *NINE)
    light = 2000 * (labels > 0)
    assert problem_of(labels, camera(light)) is None
    assert problem_of(labels, camera(light, 6)) == "blurred"
    assert problem_of(labels, np.minimum(camera(light), 1500)) == "saturated"
    assert problem_of(np.zeros_like(labels), camera(light)) == "no nuclei"
    assert problem_of(labels, np.full_like(labels, 400)) == "the nucleus channel is constant"
    assert "too crowded" in problem_of(np.ones_like(labels), camera(light))
    assert problem_of(labels[90:230], camera(light)[90:230]) == "all nuclei are cut by the edge"
