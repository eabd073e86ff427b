from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from labelled_study import cell_rows, proteins_of
from matplotlib.figure import Figure
from PIL import Image
from protloc.crops import Crops, CropWriter, open_crops
from protloc.errors import InputError
from protloc.figures.cell_scores import scores_of_cells
from protloc.figures.cells_k import _spaced, draw_cells_k
from protloc.figures.cells_neighbours import _look, _one_run, draw_cells_neighbours
from protloc.figures.cells_overlays import _draw_nuclei, _letters, draw_cells_overlays, outlines
from protloc.figures.cells_umap import _grid, draw_cells_umap
from protloc.figures.mapped_cells import add_places, cells_to_map
from protloc.figures.projection import NEIGHBOURS, nearest_by_cosine, project
from protloc.figures.style import RIGHT, SIMULATED, WRONG
from subsets import in_both_subsets

SIDE, FIELD = 24, 60
TITLES = {"dino": "DINO", "untrained": "untrained"}
KS = (1, 3, 10, 50)


def summary(ks=KS, backbones=("dino", "untrained"), policies=("single",)) -> pd.DataFrame:
    rows = [
        {"task": task, "backbone": name, "label_policy": policy, "split_unit": unit, "k": k, "mean": mean}
        for task in ("knn", "knn_weighted", "probe")
        for name in backbones
        for policy in policies
        for unit, mean in (("protein", 0.3), ("fov", 0.5), ("cell", 0.6))
        for k in ks
    ]
    rows = pd.DataFrame(rows, columns=["task", "backbone", "label_policy", "split_unit", "k", "mean"])
    bounds = {"low": rows["mean"] - 0.1, "high": rows["mean"] + 0.05, "sd": 0.01, "runs": 3}
    rows = rows.assign(strategy="none", level="cell", fraction=1.0, metric="macro_f1", **bounds)
    return in_both_subsets(rows)


def labels(classes=("er", "golgi"), proteins=6, cells=4, policy="single") -> pd.DataFrame:
    rows = [
        {"cell_id": f"FID{gene:08d}-{cell:04d}", "gene": f"G{gene}", "label": classes[gene % len(classes)]}
        for gene in range(proteins if classes else 0)
        for cell in range(cells)
    ]
    columns = ["label_policy", "cell_id", "fov_id", "gene", "label"]
    rows = pd.DataFrame(rows, columns=["cell_id", "gene", "label"])
    return rows.assign(label_policy=policy, fov_id=rows["cell_id"].str[:11])[columns]


def words(svg: Path) -> str:
    """The words of an SVG: matplotlib draws them as paths and leaves each as a comment."""
    return svg.read_text()


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> tuple[Path, pd.DataFrame, pd.DataFrame, Crops]:
    """Raw folder, fovs, cells and their store: six fields, a protein each, of four square nuclei, one cut."""
    raw = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    fovs, cells = [], []
    with CropWriter(raw / "pixels.npy", raw / "masks.npy", SIDE) as store:
        for number in range(6):
            name = f"FID{number:08d}"
            field = rng.integers(300, 400, (2, FIELD, FIELD), dtype=np.uint16)
            centres = np.array([[14, 14], [14, 44], [44, 14], [44, 57]])
            padded = np.zeros((4, FIELD + 2 * SIDE, FIELD + 2 * SIDE), dtype=bool)
            for nucleus, (y, x) in zip(padded, centres + SIDE, strict=True):
                nucleus[y - 5 : y + 5, x - 5 : x + 5] = True
            padded[:, :, FIELD + SIDE :] = False
            field[0][padded[:, SIDE:-SIDE, SIDE:-SIDE].any(axis=0)] = 3000
            corners = centres - SIDE // 2
            image = np.pad(field, ((0, 0), (SIDE, SIDE), (SIDE, SIDE)))
            cut = [np.s_[..., y : y + SIDE, x : x + SIDE] for y, x in corners + SIDE]
            own = np.stack([nucleus[at] for nucleus, at in zip(padded, cut, strict=True)])
            store.add(np.stack([image[at] for at in cut]), own, np.zeros_like(own))
            kept = np.array([True, True, True, False])
            place = {"top": corners[:, 0], "left": corners[:, 1]}
            place |= {"bottom": corners[:, 0] + SIDE, "right": corners[:, 1] + SIDE}
            place |= {"y_px": centres[:, 0] - 0.5, "x_px": centres[:, 1] - 0.5}
            cells.append(cell_rows(4, name, f"G{number}", kept=kept, touches_border=~kept, **place))
            tifffile.imwrite(raw / f"{name}.tif", field)
            digest = hashlib.sha256((raw / f"{name}.tif").read_bytes()).hexdigest()
            shape = {"height": FIELD, "width": FIELD, "pixel_size_um": 0.2, "problem": None}
            fovs.append(
                {"fov_id": name, "gene": f"G{number}", "key": f"{name}.tif", "sha256": digest} | shape
            )
    cells = pd.concat(cells, ignore_index=True).assign(row=range(24))
    return raw, pd.DataFrame(fovs), cells, open_crops(raw / "pixels.npy", raw / "masks.npy")


def neighbours(seeds=(0, 1), policies=("single",), units=("protein", "cell")) -> pd.DataFrame:
    """Each kept cell of the study as a query; its neighbours are the first cells of other fields."""
    names = [f"FID{field:08d}-{cell:04d}" for field in range(6) for cell in range(1, 4)]
    rows = [
        {"label_policy": policy, "apart": unit, "seed": seed, "cell_id": name, "gene": f"G{int(name[3:11])}"}
        | {"nearest": [other for other in names if other[:11] != name[:11]][: 10 - seed]}
        for policy in policies
        for unit in units
        for seed in seeds
        for name in names
    ]
    rows = pd.DataFrame(rows, columns=["label_policy", "apart", "seed", "cell_id", "gene", "nearest"])
    rows["truth"] = [("er", "golgi")[int(gene[1:]) % 2] for gene in rows["gene"]]
    rows["similarity"] = [[0.9] * len(found) for found in rows["nearest"]]
    return rows


def test_scores_are_those_of_neighbours_alone_with_their_votes():
    mixed = pd.concat([summary(), summary().assign(metric="micro_f1")])
    scores = scores_of_cells(mixed.sample(frac=1, random_state=0))
    assert len(scores) == 2 * 2 * 3 * len(KS)
    assert sorted(scores["vote"].unique()) == ["plain", "weighted"]
    pd.testing.assert_frame_equal(scores, scores_of_cells(summary()))


def test_scores_over_k_say_how_much_is_behind_them(tmp_path):
    out = [tmp_path / f"k.{suffix}" for suffix in ("svg", "png")]
    both = pd.concat([labels(), labels(policy="hand")])
    table = summary(policies=("single", "hand"))
    best, least = (table["k"] == 10) & (table["subset"] == "validation"), table["k"] == 1
    table.loc[best, "mean"], table.loc[least & (table["subset"] == "test"), "mean"] = 0.35, 0.9
    scores = scores_of_cells(table)
    draw_cells_k(scores, both, TITLES, ["untrained"], 50, True, out)
    text = words(out[0])
    assert "Labels of proteins: 2 classes, 24 cells of 6 proteins; at most 50 a protein and seed." in text
    assert "Labels by hand: 2 classes, 24 cells" in text and SIMULATED in text
    assert "Closer neighbours, k = 10" in text and "Neighbours of other proteins" in text
    again = tmp_path / "again.svg"
    draw_cells_k(scores, both, TITLES, ["untrained"], 50, True, [again])
    assert again.read_bytes() == out[0].read_bytes()
    draw_cells_k(scores, both, TITLES, ["untrained"], None, False, [again])
    assert "at most" not in words(again) and SIMULATED not in words(again)


def test_what_scores_lack_is_said(tmp_path):
    out = tmp_path / "k.svg"
    of_one = scores_of_cells(summary(ks=(5,), backbones=("dino",)))
    draw_cells_k(of_one, labels(classes=("er",)), TITLES, [], 50, True, [out])
    assert "one class (no vote can be wrong), 24 cells" in words(out) and "k = 5" in words(out)
    unlabelled = scores_of_cells(summary(ks=()))
    assert unlabelled.empty
    draw_cells_k(unlabelled, labels(classes=()), TITLES, [], 50, True, [out])
    assert "No cell has a label" in words(out) and SIMULATED in words(out)


def test_where_all_groupings_are_off_but_one_the_panel_names_it(tmp_path):
    only = summary()[lambda rows: (rows["split_unit"] == "fov") & (rows["subset"] == "test")]
    draw_cells_k(scores_of_cells(only), labels(), TITLES, [], 50, False, [tmp_path / "k.svg"])
    text = words(tmp_path / "k.svg")
    assert "Neighbours of other fields" in text and "at the middle k" in text and "k = 3" in text


def test_crowded_ticks_lose_their_numbers_and_others_keep_them():
    assert _spaced(KS) == ["1", "3", "10", "50"]
    crowded = _spaced(range(1, 51))
    assert crowded[0] == "1" and crowded.count("") > 25
    assert _spaced([7]) == ["7"]


def test_neighbours_are_those_of_the_first_run_most_apart():
    table = neighbours(policies=("hand", "single")).sample(frac=1, random_state=0)
    run = _one_run(table)
    assert (len(run), set(run["label_policy"]), set(run["apart"]), set(run["seed"])) == (
        18, {"single"}, {"protein"}, {0},
    )  # fmt: skip
    assert set(_one_run(neighbours(units=("cell",)))["apart"]) == {"cell"}


def test_a_neighbour_is_framed_by_whether_it_has_the_label_of_the_query():
    query = pd.Series({"gene": "G0", "truth": "er"})
    assert _look(query, query, None, 20)[1] == ["query G0", "er"]
    other = pd.Series({"gene": "G1", "truth": "golgi"})
    assert _look(other, query, 0.5, 20) == (WRONG, ["✗ G1  0.500", "golgi"])
    assert _look(other.replace("golgi", "er"), query, 0.5, 20) == (RIGHT, ["✓ G1  0.500", "er"])


def test_the_sheet_of_neighbours_does_not_depend_on_the_order_of_rows(study, tmp_path):
    _, _, cells, crops = study
    options = {"queries": 2, "neighbours": 3, "simulated": True}
    tables, titles = [neighbours(), neighbours()], ["DINO", "untrained"]
    draw_cells_neighbours(tables, titles, cells, crops, **options, outputs=[tmp_path / "first.png"])
    tables = [table.sample(frac=1, random_state=0) for table in tables]
    mixed = cells.sample(frac=1, random_state=0)
    draw_cells_neighbours(tables, titles, mixed, crops, **options, outputs=[tmp_path / "second.png"])
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    alone = tmp_path / "alone.png"
    draw_cells_neighbours(tables[:1], titles[:1], cells, crops, **options, outputs=[alone])
    assert Image.open(alone).height < Image.open(tmp_path / "first.png").height


def test_without_labels_the_sheet_of_neighbours_says_so(study, tmp_path):
    _, _, cells, crops = study
    options = {"queries": 2, "neighbours": 3, "simulated": True, "outputs": [tmp_path / "none.png"]}
    draw_cells_neighbours([neighbours(seeds=())], ["DINO"], cells, crops, **options)
    pixels = np.asarray(Image.open(options["outputs"][0]).convert("L"))
    assert pixels[: len(pixels) * 2 // 3].min() < 200 and pixels[-40:, -400:].min() < 128


def test_cells_on_a_map_are_kept_spread_over_proteins_whatever_their_order():
    cells = pd.concat([cell_rows(20, f"FID{n:08d}", f"G{n}") for n in range(12)], ignore_index=True)
    cells["kept"] = cells["label"] > 2
    some = labels(classes=("er", "golgi", "vesicles"), proteins=9, cells=21)
    chosen = cells_to_map(cells, some, 60)
    assert len(chosen) == 60 and not chosen["cell_id"].str.endswith(("-0001", "-0002")).any()
    assert chosen["gene"].nunique() == 12 and (chosen.loc[chosen["gene"] == "G11", "label"] == "").all()
    of_protein = chosen.groupby(["shown", "gene"]).size()
    assert (of_protein[True] == 5).all() and (of_protein[False] == 5).all()
    mixed = cells_to_map(cells.sample(frac=1, random_state=0), some.sample(frac=1, random_state=1), 60)
    pd.testing.assert_frame_equal(chosen.reset_index(drop=True), mixed.reset_index(drop=True))


def test_proteins_on_a_map_have_labels_and_more_cells_than_others():
    cells = pd.concat([cell_rows(50, f"FID{n:08d}", f"G{n}") for n in range(30)], ignore_index=True)
    chosen = cells_to_map(cells, labels(proteins=9, cells=51), 400)
    sizes = chosen.groupby(["shown", "gene"]).size()
    assert len(sizes[True]) == 6 and sizes[True].min() > 3 * sizes[False].max()
    assert (chosen.loc[chosen["shown"], "label"] != "").all()
    assert chosen.loc[chosen["shown"], "label"].nunique() == 2
    assert cells_to_map(cells, labels(classes=()), 400)["shown"].any()


def test_neighbours_for_a_map_are_exact_and_begin_with_the_cell_itself():
    vectors = np.random.default_rng(0).normal(size=(700, 16))
    vectors[600:] = vectors[:100]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, distances = nearest_by_cosine(unit, 5)
    assert (rows[:, 0] == np.arange(700)).all() and (distances[:, 0] == 0).all()
    assert (rows[600:, 1] == np.arange(100)).all() and (rows[:100, 1] == np.arange(600, 700)).all()
    cosine = 1 - unit @ unit.T
    np.fill_diagonal(cosine, -1)
    np.testing.assert_allclose(distances[:, 1:], np.sort(cosine, axis=1)[:, 1:5].clip(0), atol=1e-12)


@pytest.mark.slow
def test_maps_repeat_and_keep_groups_apart():
    rng = np.random.default_rng(0)
    vectors = (np.repeat(np.eye(2, 16), 40, axis=0) + 0.1 * rng.normal(size=(80, 16))).astype(np.float32)
    places = project(vectors)
    assert places.tobytes() == project(vectors).tobytes()
    first, second = places[:40], places[40:]
    gap = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert gap > 2 * max(
        np.linalg.norm(group - group.mean(axis=0), axis=1).max() for group in (first, second)
    )


def test_there_is_no_map_of_few_cells_or_of_vectors_that_are_alike(tmp_path, monkeypatch):
    monkeypatch.setattr("protloc.figures.mapped_cells.project", None)
    out = tmp_path / "umap.svg"
    route = {"backbone": "dino", "strategy": "none"}
    for count, text in ((1, f"Cells that are kept: 1. A UMAP needs more than {NEIGHBOURS}."), (20, "alike")):
        cells = cells_to_map(cell_rows(count, "FID00000000", "G0"), labels(), 3000)
        maps = add_places(cells, cells["cell_id"].to_list(), np.ones((count, 4), np.float32), "x").assign(
            **route
        )
        assert maps[["x", "y"]].isna().all(axis=None)
        draw_cells_umap(maps, {("dino", "none"): "DINO"}, True, [out])
        assert text in words(out) and SIMULATED in words(out)


def test_a_cell_without_a_vector_is_named():
    cells = cells_to_map(cell_rows(3, "FID00000000", "G0"), labels(), 3000)
    names, vectors = cells["cell_id"].to_list(), np.ones((3, 4), np.float32)
    with pytest.raises(
        InputError, match=r"cell/dino.parquet: FID00000000-0003 has no vector, or one of zeros"
    ):
        add_places(cells, names[:2], vectors[:2], "cell/dino.parquet")
    vectors[1] = 0
    with pytest.raises(InputError, match="FID00000000-0002 has no vector, or one of zeros"):
        add_places(cells, names, vectors, "x")


@pytest.mark.parametrize(("given", "said"), [(("er", "golgi"), "golgi"), ((), "no cell has a label")])
def test_maps_name_classes_and_proteins(tmp_path, given, said):
    cells = pd.concat([cell_rows(5, f"FID{n:08d}", f"G{n}") for n in range(6)], ignore_index=True)
    cells = cells_to_map(cells, labels(classes=given, cells=6), 3000)
    places = np.random.default_rng(0).normal(size=(30, 2))
    maps = cells.assign(x=places[:, 0], y=places[:, 1], backbone="dino", strategy="none")
    draw_cells_umap(maps, {("dino", "none"): "DINO"}, False, [tmp_path / "umap.svg"])
    text = words(tmp_path / "umap.svg")
    assert said in text and "G3: " in text and "30 kept cells of 6 proteins" in text
    assert f"Classes: {len(given)}; cells without a label: {0 if given else 30}." in text


def test_maps_of_classes_fill_their_room_and_stay_legible():
    for count in (1, 2, 6, 17, 40):
        side, across = _grid(count)
        assert 18 <= side <= 46 and across * side <= 125
    assert _grid(17)[1] == 6 and _grid(2)[0] == 46


def test_an_outline_runs_around_its_pixels_and_closes_at_the_edge():
    mask = np.zeros((10, 10), dtype=bool)
    mask[2:5, 0:7] = True
    (line,) = outlines(mask)
    assert (line[0] == line[-1]).all()
    assert line.min(axis=0) == pytest.approx([0, 2]) and line.max(axis=0) == pytest.approx([7, 5])


def test_outlines_lie_on_the_nuclei_of_the_field(study):
    _, _, cells, crops = study
    axis = Figure().add_subplot()
    _draw_nuclei(axis, cells[cells["fov_id"] == "FID00000002"], crops)
    kept, others = axis.collections
    boxes = [(path.vertices.min(axis=0), path.vertices.max(axis=0)) for path in kept.get_paths()]
    assert np.allclose(boxes, [((9, 9), (19, 19)), ((39, 9), (49, 19)), ((9, 39), (19, 49))], atol=1e-9)
    (path,) = others.get_paths()
    assert np.allclose([path.vertices.min(axis=0), path.vertices.max(axis=0)], [(52, 39), (60, 49)])
    assert [text.get_text() for text in axis.texts] == ["", "", "", "a"]
    assert not np.allclose(kept.get_edgecolor(), others.get_edgecolor())


def test_flags_are_counted_by_letter(study):
    cells = study[2]
    assert _letters(cells) == "Flags: a touches border (6)."
    assert _letters(cells.assign(odd_shape=True)).endswith("f odd shape (24).")
    assert _letters(cells[:0]) == "No nucleus has a flag."


def test_overlays_show_fields_with_and_without_nuclei(study, tmp_path):
    raw, fovs, cells, crops = study
    proteins = proteins_of({f"G{n}": [["er"], ["golgi"]][n % 2] for n in range(5)})
    segmented = pd.DataFrame({"fov_id": fovs["fov_id"], "nuclei": 4, "kept": 3, "problem": None})
    segmented.loc[0, ["nuclei", "kept", "problem"]] = 0, 0, "no nucleus was found"
    found = cells[cells["fov_id"] != "FID00000000"]
    for name, simulated in (("first", True), ("second", True), ("real", False)):
        tables = (fovs, proteins, segmented, found)
        if name == "second":
            tables = [table.sample(frac=1, random_state=0) for table in tables]
        options = {"count": 6, "simulated": simulated, "outputs": [tmp_path / f"{name}.png"]}
        draw_cells_overlays(*tables, crops, raw, **options)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    marked, unmarked = (
        np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")) for name in ("first", "real")
    )
    assert marked.shape == unmarked.shape
    assert marked[-40:, -600:].min() < 128 < unmarked[-40:, -600:].min()
    draw_cells_overlays(fovs, proteins, segmented, cells[:0], crops, raw, **options)
