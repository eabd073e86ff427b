from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from matplotlib.image import imread
from protloc.errors import InputError
from protloc.opencell import COLUMNS
from protloc.simulate.field import render_field
from protloc.simulate.layout import lay_out
from protloc.simulate.noise import noise
from protloc.simulate.optics import Optics, through
from protloc.simulate.patterns import CLASSES, PATTERNS
from protloc.simulate.realism import realism_sheet
from protloc.simulate.study import simulate_study
from protloc.simulate.table import draw_protein
from protloc.simulate.traits import draw_traits
from scipy import ndimage

KEY = re.compile(
    r"microscopy/raw/(?P<gene>\w+)_(?P<ensg>ENSG\d{11})"
    r"/OC-FOV_(?P=gene)_(?P=ensg)_CID\d{6}_FID\d{8}_proj\.tif"
)


def study(directory: Path, *, seed: int = 5, workers: int = 1) -> dict[str, bytes]:
    sizes = {"proteins_per_class": 1, "fields_per_protein": 2, "field_size": 96}
    simulate_study(directory, **sizes, seed=seed, workers=workers)
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, dict[str, bytes]]:
    directory = tmp_path_factory.mktemp("mirror")
    return directory, study(directory)


@pytest.fixture(scope="module")
def layout():
    return lay_out(256, 1.0, np.random.default_rng(11))


def light(name: str, layout, seed: int = 0) -> np.ndarray:
    """A pattern's light, the mean over five proteins, above its own dimmest per cent."""
    images = [
        PATTERNS[name](layout, np.random.default_rng(n), draw_traits(np.random.default_rng([n, seed])))
        for n in range(5)
    ]
    mean = np.mean(images, axis=0)
    return mean - np.percentile(mean, 1)


def test_the_number_of_workers_changes_no_byte(written, tmp_path):
    assert study(tmp_path, workers=2) == written[1]


def test_another_seed_changes_every_field_and_no_field_id(written, tmp_path):
    mine, other = (
        {key[-21:]: content for key, content in files.items()}
        for files in (written[1], study(tmp_path, seed=6))
    )
    assert other.keys() == mine.keys()
    assert [key for key in mine if key.endswith(".tif") and other[key] == mine[key]] == []


def test_a_larger_study_contains_the_smaller_one(written, tmp_path):
    simulate_study(tmp_path, proteins_per_class=2, fields_per_protein=2, field_size=96, seed=5, workers=1)
    assert all(
        (tmp_path / name).read_bytes() == content
        for name, content in written[1].items()
        if name.endswith(".tif")
    )


def test_names_follow_the_grammar_of_the_bucket_and_ids_are_unique(written):
    keys = [name for name in written[1] if name.endswith(".tif")]
    assert len(keys) == 2 * len(CLASSES)
    assert [key for key in keys if not KEY.fullmatch(key)] == []
    assert len({key[-17:] for key in keys}) == len(keys)


def test_files_are_what_opencell_has(written):
    path = next(written[0].rglob("*.tif"))
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        assert tiff.is_imagej
        assert tiff.series[0].axes == "CYX"
        assert (tiff.series[0].shape, tiff.series[0].dtype) == ((2, 96, 96), np.uint16)
        assert (page.compression, page.tags["XResolution"].value) == (1, (5, 1))


def test_the_label_table_names_every_protein_once_with_a_primary_class(written):
    text = written[1]["opencell-localization-annotations.csv"].decode()
    rows = list(csv.DictReader(text.splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert len({row["target_name"] for row in rows}) == len(rows) == len(CLASSES)
    assert [row["annotations_grade_3"].split(";")[0] for row in rows] == list(CLASSES)
    folders = {path.name for path in (written[0] / "microscopy/raw").iterdir()}
    assert folders == {f"{row['target_name']}_{row['ensg_id']}" for row in rows}


@pytest.mark.parametrize("per_class", [1, 2, 4, 24, 100])
def test_at_least_half_of_each_class_has_one_grade_3_label(per_class):
    proteins = [draw_protein(n, np.random.default_rng(n)) for n in range(per_class * len(CLASSES))]
    single = [p for p in proteins if list(p.grades.values()).count(3) == 1]
    kept = Counter(next(iter(p.grades)) for p in single)
    assert min(kept[name] for name in CLASSES) >= per_class / 2
    if per_class == 100:
        assert 0.6 < len(single) / len(proteins) < 0.75  # 0.66 of the real ones


def test_labels_go_together_as_in_opencell(shared):
    with (shared / "data/opencell-localization-annotations.csv").open() as file:
        real = [row["annotations_grade_3"].split(";") for row in csv.DictReader(file)]
    golgi = [labels for labels in real if "golgi" in labels and len(labels) > 1]
    expected = sum("vesicles" in labels for labels in golgi) / len(golgi)
    drawn = [draw_protein(17 * n + CLASSES.index("golgi"), np.random.default_rng(n)) for n in range(600)]
    mixed = [p for p in drawn if list(p.grades.values()).count(3) > 1]
    found = sum(p.grades.get("vesicles") == 3 for p in mixed) / len(mixed)
    assert found == pytest.approx(expected, abs=0.12)


def test_counts_lie_where_real_ones_do():
    first, nuclei, top = [], [], []
    for n in range(24):
        rng = np.random.default_rng(n)
        field = render_field({"er": 3}, draw_traits(rng), 256, rng)
        first.append(np.percentile(field.image[0], 1))
        nuclei.append(field.image[0][field.nuclei > 0].mean())
        top.append(np.percentile(field.image[0], 99))
    assert 300 < np.median(first) < 410
    assert 1950 < np.median(nuclei) < 2400
    assert 3300 < np.median(top) < 4600


def test_fields_of_full_size_hold_as_many_nuclei_as_real_ones():
    numbers = [len(np.unique(lay_out(600, 1.0, np.random.default_rng(n)).nuclei)) - 1 for n in range(12)]
    assert 20 <= min(numbers) <= 28 < max(numbers) <= 62


def test_nuclei_have_the_halo_and_the_rim_of_real_ones():
    """Real Hoechst is 0.15 of the nucleus' middle 3 px outside of its edge, and 1.17 of it 4 px inside."""
    halo, rim = [], []
    for n in range(16):
        rng = np.random.default_rng(n)
        field = render_field({"er": 3}, draw_traits(rng), 256, rng)
        light = field.image[0] - np.percentile(field.image[0], 1)
        inside = ndimage.distance_transform_edt(field.nuclei > 0)
        outside = ndimage.distance_transform_edt(field.nuclei == 0)
        middle = light[inside > 8].mean()
        halo.append(light[outside.round() == 3].mean() / middle)
        rim.append(light[inside.round() == 4].mean() / middle)
    assert 0.08 < np.median(halo) < 0.25
    assert 1.05 < np.median(rim) < 1.35


def test_a_cell_above_the_focus_is_dimmer_and_less_sharp():
    light = 1 + 0.2 * noise(np.random.default_rng(0), (128, 128), 1.0)
    optics = Optics(sharp=0.9, defocus=1.6, haze=0.1, tilt=(0.0, 0.0), falloff=0.0)
    flat = np.zeros_like(light)

    def detail(image: np.ndarray) -> float:
        return float((image / ndimage.gaussian_filter(image, 8)).std())

    near, far = through(optics, light, flat), through(optics, light, flat + 1)
    assert far.mean() < 0.8 * near.mean()
    assert detail(far) < 0.75 * detail(near)


@pytest.mark.parametrize("scale", [3, 7, 13])
def test_noise_has_its_scale_and_variance_on_both_grids(scale):
    image = noise(np.random.default_rng(0), (1021, 640), scale)
    assert image.shape == (1021, 640)
    assert image.dtype == np.float32
    assert image.std() == pytest.approx(1, abs=0.03)
    for one, other in ((image[scale:], image[:-scale]), (image[:, scale:], image[:, :-scale])):
        assert (one * other).mean() == pytest.approx(np.exp(-0.25), abs=0.06)


def test_the_truth_has_nuclei_inside_of_their_own_cells():
    for n in range(5):
        rng = np.random.default_rng(n)
        field = render_field({"golgi": 3}, draw_traits(rng), 256, rng)
        assert field.nuclei.shape == field.cells.shape == (256, 256)
        assert len(np.unique(field.nuclei)) > 2
        both = (field.nuclei > 0) & (field.cells > 0)
        assert (field.nuclei == field.cells)[both].all()
        assert np.median(np.bincount(field.nuclei[field.nuclei > 0])) < 6000


def test_there_are_17_classes():
    assert len(CLASSES) == len(set(CLASSES)) == 17


@pytest.mark.parametrize("name", CLASSES)
def test_a_pattern_is_finite_and_depends_on_its_generator_alone(name, layout):
    assert np.isfinite(light(name, layout)).all()
    assert light(name, layout).dtype == np.float32
    assert np.array_equal(light(name, layout), light(name, layout))


INSIDE = {"nucleoplasm", "chromatin", "nuclear_punctae", "nucleolus_gc", "nucleolus_fc_dfc"}
EITHER = {"nuclear_membrane", "centrosome"}


@pytest.mark.parametrize("name", sorted(set(CLASSES) - EITHER))
def test_nuclear_patterns_are_in_nuclei_and_the_others_are_not(name, layout):
    image = light(name, layout)
    nucleus = np.average(image, weights=layout.nucleus)
    cytoplasm = np.average(image, weights=layout.cytoplasm)
    assert (nucleus > 1.2 * cytoplasm) == (name in INSIDE)
    assert (cytoplasm > 1.2 * nucleus) == (name not in INSIDE)


@pytest.mark.parametrize(
    ("name", "where", "elsewhere"),
    [
        ("nuclear_membrane", lambda at: np.abs(at.depth) < 2, lambda at: at.depth < -8),
        ("nucleolus_gc", lambda at: at.nucleoli > 0.9, lambda at: (at.nucleus > 0.9) & (at.nucleoli < 0.1)),
        (
            "nucleolus_fc_dfc",
            lambda at: at.nucleoli > 0.9,
            lambda at: (at.nucleus > 0.9) & (at.nucleoli < 0.1),
        ),
        ("membrane", lambda at: np.abs(at.edge) < 1, lambda at: at.edge > 8),
        ("cell_contact", lambda at: (at.contact < 1) & (at.second < at.reach - 5), lambda at: at.contact > 8),
        ("er", lambda at: np.abs(at.depth) < 1, lambda at: at.depth < -6),
    ],
)
def test_a_pattern_is_brightest_at_its_structure(name, where, elsewhere, layout):
    image = light(name, layout)
    assert image[where(layout) & (layout.body > 0.5)].mean() > 2 * image[elsewhere(layout)].mean()


def test_dead_cells_hold_no_chromatin_and_no_envelope():
    layouts = (lay_out(256, 1.0, np.random.default_rng(n)) for n in range(60))
    layout = next(at for at in layouts if at.corpse.max() > 0.99)
    alone = (layout.corpse > 0.05) & (layout.second > 20)
    for name in ("chromatin", "nuclear_membrane"):
        image = light(name, layout)
        assert image[alone].max() < 0.2 * np.percentile(image, 99.5)


def test_nucleoli_are_even_in_gc_and_spotted_in_fc_dfc(layout):
    inside = layout.nucleoli > 0.9
    traits = draw_traits(np.random.default_rng(3))

    def spread(name: str) -> float:
        values = PATTERNS[name](layout, np.random.default_rng(0), traits)[inside]
        return float(values.std() / values.mean())

    assert spread("nucleolus_fc_dfc") > 2 * spread("nucleolus_gc")


def test_a_weak_label_is_weaker_than_a_prominent_one(layout):
    for n in range(10):
        traits = draw_traits(np.random.default_rng(n))
        assert traits.weight(3) > 1.5 * traits.weight(2) > 1.5 * 1.5 * traits.weight(1)


@pytest.mark.parametrize(
    "wrong",
    [{"proteins_per_class": 0}, {"fields_per_protein": 101}, {"fields_per_protein": 0}, {"field_size": 32}],
)
def test_sizes_out_of_range_are_refused_before_anything_is_written(wrong, tmp_path):
    sizes = {"proteins_per_class": 1, "fields_per_protein": 1, "field_size": 96} | wrong
    with pytest.raises(InputError, match=next(iter(wrong))):
        simulate_study(tmp_path / "mirror", **sizes, seed=0, workers=1)
    assert not (tmp_path / "mirror").exists()


def test_the_contact_sheet_shows_every_real_field_beside_its_likes(shared, tmp_path):
    labels = shared / "data/opencell-localization-annotations.csv"
    realism_sheet(shared / "data/opencell-samples", labels, tmp_path / "sheet.png")
    sheet = imread(tmp_path / "sheet.png")
    assert sheet.shape[1] > sheet.shape[0] > 9 * 100
    assert sheet.std() > 0.1


def test_a_contact_sheet_without_fields_or_labels_says_so(written, tmp_path):
    labels = written[0] / "opencell-localization-annotations.csv"
    with pytest.raises(InputError, match="holds no"):
        realism_sheet(tmp_path, labels, tmp_path / "sheet.png")
    (tmp_path / "labels.csv").write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(InputError, match="no row for SIM0001"):
        realism_sheet(written[0], tmp_path / "labels.csv", tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
