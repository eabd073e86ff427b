from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from protloc.cell_view import read_cell, stored_cells
from protloc.cells.field import cells_of, measurements
from protloc.cells.study import find_cells
from protloc.config.settings import Cells
from protloc.crops import CropWriter, open_crops
from protloc.cut import background, corners, cut, padded_fraction, side_px
from protloc.embed.features import embed_features
from protloc.embed.images import CellCut, cell_images
from protloc.errors import InputError
from protloc.fields import Field, good_fields
from protloc.hashing import sha256_path
from protloc.simulate.field import render_field
from protloc.simulate.traits import draw_traits
from protloc.tables import read_table, write_table
from protloc.variants import Variant
from protloc.vectors import read_vectors

SCALE = 0.206349
SETTINGS = Cells().model_dump()
STORE_UM = 40.0  # wider than SETTINGS["crop_um"]
EMPTY = np.full((2, 96, 96), 400, np.uint16)


def fields_table(folder: Path, images: list[np.ndarray], scale: float = SCALE) -> pd.DataFrame:
    """A table of fields with these counts, written below `folder`."""
    rows = []
    for number, counts in enumerate(images):
        path = folder / f"{number}.tif"
        tifffile.imwrite(path, counts)
        rows.append((f"FID{number:08d}", f"GENE{number}", path.name, sha256_path(path), *counts.shape[1:]))
    columns = ["fov_id", "gene", "key", "sha256", "height", "width"]
    return pd.DataFrame(rows, columns=columns).assign(pixel_size_um=scale, status="ok")


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    fields = [
        render_field(
            {"er": 3}, draw_traits(np.random.default_rng(seed)), 320, np.random.default_rng(seed)
        ).image
        for seed in (1, 2)
    ]
    return [fields[0], EMPTY, fields[1]]


@pytest.fixture(scope="module")
def study(tmp_path_factory, images):
    folder = tmp_path_factory.mktemp("cells")
    fovs = fields_table(folder, images)
    store = folder / "pixels.npy", folder / "masks.npy"
    cells, segmented = find_cells(fovs, folder, SETTINGS, *store, store_um=STORE_UM, workers=2)
    write_table("cells", cells, folder / "cells.parquet")
    write_table("segmented", segmented, folder / "segmented.parquet")
    return folder, fovs, read_table("cells", folder / "cells.parquet"), open_crops(*store)


def test_every_crop_can_be_cut_again_from_its_field_and_box(study):
    folder, fovs, cells, crops = study
    fields = {field.fov_id: field for field in good_fields(fovs)}
    assert len(cells) == len(crops.pixels) > 10 and sorted(cells["row"]) == list(range(len(cells)))
    for cell in cells.itertuples():
        counts = tifffile.imread(folder / fields[cell.fov_id].key)
        fill = cell.background_nucleus, cell.background_protein
        again = np.stack([np.full((crops.side, crops.side), level, np.uint16) for level in fill])
        for y in range(max(0, cell.top), min(counts.shape[1], cell.bottom)):
            inside = slice(max(0, cell.left), min(counts.shape[2], cell.right))
            again[:, y - cell.top, inside.start - cell.left : inside.stop - cell.left] = counts[:, y, inside]
        assert np.array_equal(again, crops.read([cell.row])[0])


def test_the_nucleus_lies_in_the_middle_and_others_where_they_are(study):
    _, _, cells, crops = study
    whole = cells[~cells["touches_border"]]
    nuclei = crops.masks(whole["row"], "nucleus")
    middle = slice(crops.side // 2 - 3, crops.side // 2 + 3)
    assert nuclei[:, middle, middle].any(axis=(1, 2)).all()
    area = nuclei.sum(axis=(1, 2)) * SCALE**2
    assert area == pytest.approx(whole["nucleus_area_um2"], rel=1e-9)
    assert not (nuclei & crops.masks(whole["row"], "others")).any()
    assert crops.masks(cells["row"], "others").any()


def test_workers_and_order_of_rows_change_no_byte(study, tmp_path):
    folder, fovs, _, _ = study
    store = tmp_path / "pixels.npy", tmp_path / "masks.npy"
    again = find_cells(fovs[::-1], folder, SETTINGS, *store, store_um=STORE_UM, workers=1)
    write_table("cells", again[0], tmp_path / "cells.parquet")
    for name in ("cells.parquet", "pixels.npy", "masks.npy"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_field_without_cells_is_a_row_with_a_reason(study):
    folder, _, cells, _ = study
    segmented = read_table("segmented", folder / "segmented.parquet").set_index("fov_id")
    assert segmented.loc["FID00000001", "nuclei"] == 0 and segmented.loc["FID00000001", "problem"]
    assert (
        segmented["nuclei"] == cells.groupby("fov_id").size().reindex(segmented.index, fill_value=0)
    ).all()


def test_a_study_without_any_cell_has_empty_tables_and_an_empty_store(tmp_path):
    fovs = fields_table(tmp_path, [EMPTY, EMPTY])
    store = tmp_path / "pixels.npy", tmp_path / "masks.npy"
    cells, segmented = find_cells(fovs, tmp_path, SETTINGS, *store, store_um=24.0, workers=1)
    write_table("cells", cells, tmp_path / "cells.parquet")
    assert len(read_table("cells", tmp_path / "cells.parquet")) == 0 == len(open_crops(*store).pixels)
    assert list(segmented["nuclei"]) == [0, 0]


def test_only_cells_without_an_excluding_flag_are_kept(images):
    field = Field("FID00000001", "", "", 320, 320, SCALE)
    rows = pd.DataFrame(cells_of(field, images[0], SETTINGS, 24.0).rows)
    assert (rows["kept"] == ~rows[SETTINGS["exclude"]].any(axis=1)).all() and rows["touches_border"].any()
    assert cells_of(field, images[0], SETTINGS | {"exclude": []}, 24.0).rows["kept"].all()


@pytest.mark.parametrize("side", [2, 58, 116, 194])
def test_the_padded_share_is_that_of_the_pixels_beyond_the_field(study, side):
    _, fovs, cells, _ = study
    sizes = fovs.set_index("fov_id")
    for cell, share in zip(cells.itertuples(), padded_fraction(cells, side), strict=True):
        field = np.ones((1, *sizes.loc[cell.fov_id, ["height", "width"]].astype(int)), np.uint8)
        at = corners(np.array([[cell.y_px, cell.x_px]]), side)
        assert share == pytest.approx(1 - cut(field, at, side, [0]).mean(), abs=1e-12)
    assert side < 58 or 0 < padded_fraction(cells, side).mean() < 1


def test_a_cell_is_kept_as_long_as_the_setting_allows_its_padding(images):
    field = Field("FID00000001", "", "", 320, 320, SCALE)
    padded = cells_of(field, images[0], SETTINGS, 24.0).rows["padded_fraction"]
    middle = float(np.median(padded[padded > 0]))
    kept = []
    for most in (0.0, middle, 1.0):
        settings = SETTINGS | {"max_padding": most, "exclude": ["beyond_field"]}
        rows = cells_of(field, images[0], settings, 24.0).rows
        assert (rows["beyond_field"] == (padded > most)).all() and (rows["kept"] == (padded <= most)).all()
        kept.append(int(rows["kept"].sum()))
    assert 0 < kept[0] < kept[1] < kept[2] == len(padded)
    assert "beyond_field" in SETTINGS["exclude"] and SETTINGS["max_padding"] == 0


def test_a_wider_store_changes_neither_who_is_kept_nor_what_a_crop_shows(images):
    field = Field("FID00000001", "", "", 320, 320, SCALE)
    narrow, wide = (cells_of(field, images[0], SETTINGS, store_um) for store_um in (24.0, 51.3))
    for name in narrow.rows.keys() - {"top", "left", "bottom", "right"}:
        assert np.array_equal(narrow.rows[name], wide.rows[name])
    margin = (wide.crops.shape[-1] - narrow.crops.shape[-1]) // 2
    assert np.array_equal(narrow.crops, wide.crops[..., margin:-margin, margin:-margin])
    assert np.array_equal(narrow.others, wide.others[..., margin:-margin, margin:-margin])


@pytest.mark.parametrize("side", [60, 116, 194])
def test_a_cell_is_read_from_its_stored_crop_as_from_its_field(study, side):
    folder, fovs, cells, crops = study
    keys, hidden, zeros = fovs.set_index("fov_id")["key"], 0, 0
    for cell, row in zip(stored_cells(cells), cells.itertuples(), strict=True):
        counts = tifffile.imread(folder / keys[row.fov_id])
        at = corners(np.array([[row.y_px, row.x_px]]), side)
        inside = cut(np.ones((1, *counts.shape[1:]), np.uint8), at, side, [0])[0, 0] > 0
        expected = cut(counts, at, side, cell.background)[0]
        read = {
            (mask, padding): read_cell(crops, cell, side, mask_others=mask, padding=padding)
            for mask in (False, True)
            for padding in ("background", "zero")
        }
        assert np.array_equal(read[False, "background"], expected)
        assert np.array_equal(read[False, "zero"], np.where(inside, expected, 0))
        others = crops.of_side(side).masks([cell.row], "others")[0]
        level = np.array(cell.background)[:, None, None]
        assert np.array_equal(read[True, "background"], np.where(others, level, expected))
        assert np.array_equal(read[True, "zero"], np.where(inside, read[True, "background"], 0))
        hidden, zeros = hidden + others.sum(), zeros + (~inside).sum()
    assert hidden and zeros


def test_a_crop_wider_than_the_store_is_refused(study):
    crops = study[-1]
    for side in (crops.stored + 2, crops.stored - 1):
        with pytest.raises(InputError, match=f"{side} px are asked for, it holds {crops.stored} px"):
            crops.of_side(side)


def test_a_saturated_protein_flags_its_cell_alone(images):
    field = Field("FID00000001", "", "", 320, 320, SCALE)
    counts = images[0].copy()
    rows = pd.DataFrame(cells_of(field, counts, SETTINGS, 24.0).rows)
    cell = rows[~rows["touches_border"]].iloc[0]
    counts[1, round(cell["y_px"]), round(cell["x_px"])] = 65535
    saturated = cells_of(field, counts, SETTINGS, 24.0).rows["saturated"]
    assert saturated.nonzero()[0] == [cell["label"] - 1]


def test_measurements_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    counts = rng.integers(300, 5000, (2, 40, 40), dtype=np.uint16)
    nuclei, areas = np.zeros((40, 40), np.int32), np.zeros((40, 40), np.int32)
    nuclei[5:12, 5:12], areas[3:14, 3:14], nuclei[30:33, 20:30], areas[28:36, 18:34] = 1, 1, 2, 2
    found = measurements(counts, nuclei, areas, np.array([300, 310], np.uint16), 0.5)
    for label, row in enumerate(pd.DataFrame(found).itertuples(), start=1):
        assert row.nucleus_area_um2 == (nuclei == label).sum() * 0.25
        assert row.cell_area_um2 == (areas == label).sum() * 0.25
        assert row.nucleus_counts == pytest.approx(counts[0][nuclei == label].mean() - 300, rel=1e-12)
        assert row.protein_counts == pytest.approx(counts[1][areas == label].mean() - 310, rel=1e-12)
        assert row.protein_counts_nucleus == pytest.approx(counts[1][nuclei == label].mean() - 310, rel=1e-12)


def test_crops_are_even_centred_and_filled_beyond_the_edge():
    assert side_px(24.0, SCALE) == 116 and side_px(0.1, 1.0) == 2
    image = np.arange(2 * 6 * 8, dtype=np.uint16).reshape(2, 6, 8)
    at = corners(np.array([[0.4, 7.5], [3.0, 3.0]]), 4)
    assert at.tolist() == [[-2, 6], [1, 1]]
    corner, middle = cut(image, at, 4, (7, 9))
    assert (corner[0, :2] == 7).all() and (corner[1, :, 2:] == 9).all()
    assert np.array_equal(corner[:, 2:, :2], image[:, :2, 6:]) and np.array_equal(middle, image[:, 1:5, 1:5])
    assert background(image).tolist() == [0, 48]


def cut_of(mask_neighbours: bool = False) -> CellCut:
    return CellCut(24.0, mask_neighbours, "background")


def test_masked_cells_hide_their_neighbours_alone(study, tmp_path):
    _, _, cells, crops = study
    crops = crops.of_side(116)
    row = int(crops.masks(cells["row"], "others").any(axis=(1, 2)).argmax())
    cell = cells[cells["row"] == cells["row"].iloc[row]].assign(kept=True)
    shown, masked = (cell_images(cell, crops, cut_of(mask)).images[0].read() for mask in (False, True))
    others = crops.masks(cell["row"], "others")[0]
    assert np.array_equal(shown[:, ~others], masked[:, ~others])
    assert (masked[0, others] == cell["background_nucleus"].item()).all()
    assert (masked[1, others] == cell["background_protein"].item()).all()


def test_cells_are_embedded_in_the_crop_of_their_backbone(study):
    _, _, cells, crops = study
    cut = CellCut(30.0, True, "zero")
    images = cell_images(cells.assign(kept=True), crops, cut)
    assert images.footer == {"level": "cell", "crop_um": "30", "other_cells": "masked", "padding": "zero"}
    ordered = cells.sort_values("cell_id")
    for image, cell in zip(images.images, stored_cells(ordered), strict=True):
        assert (image.height, image.width) == (146, 146)  # 30 µm, even
        expected = read_cell(crops, cell, 146, mask_others=True, padding="zero")
        assert np.array_equal(image.read(), expected)


def test_kept_cells_are_embedded_in_the_order_of_their_ids(study, tmp_path):
    _, _, cells, crops = study
    images = cell_images(cells.sample(frac=1, random_state=0), crops, cut_of())
    embed_features(images, "handmade", tmp_path / "a.parquet", threads=2)
    ids, vectors = read_vectors(tmp_path / "a.parquet", Variant("none"))
    assert ids == sorted(cells.loc[cells["kept"], "cell_id"]) and np.isfinite(vectors).all()


def test_fields_of_two_scales_are_refused(tmp_path):
    fovs = fields_table(tmp_path, [EMPTY, EMPTY])
    fovs.loc[1, "pixel_size_um"] = 0.1
    with pytest.raises(InputError, match="pixel_size_um"):
        find_cells(fovs, tmp_path, SETTINGS, tmp_path / "p.npy", tmp_path / "m.npy", store_um=24.0, workers=1)


def test_a_store_reads_back_and_refuses_a_stranger(tmp_path):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 65535, (5, 2, 9, 9), dtype=np.uint16)
    nuclei, others = rng.random((2, 5, 9, 9)) > 0.5
    paths = tmp_path / "pixels.npy", tmp_path / "masks.npy"
    with CropWriter(*paths, 9) as store:
        store.add(counts[:2], nuclei[:2], others[:2])
        store.add(counts[2:], nuclei[2:], others[2:])
    crops = open_crops(*paths)
    assert np.array_equal(crops.read([4, 0]), counts[[4, 0]])
    assert np.array_equal(crops.masks([3], "nucleus"), nuclei[[3]])
    assert np.array_equal(crops.masks([1, 2], "others"), others[1:3])
    with CropWriter(tmp_path / "other.npy", tmp_path / "shorter.npy", 9) as store:
        store.add(counts[:1], nuclei[:1], others[:1])
    with pytest.raises(InputError, match="not that of"):
        open_crops(paths[0], tmp_path / "shorter.npy")
    paths[0].write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a readable crop store"):
        open_crops(*paths)
