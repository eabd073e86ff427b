from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from protloc.choose import spread_over_classes
from protloc.errors import InputError
from protloc.figures.fractions import DESIGNS, _line, _ticks, draw_fractions, scores_over
from protloc.figures.names import spread
from protloc.figures.nearest import nearest
from protloc.figures.neighbours import draw_neighbours
from protloc.figures.predictions import _halves, _one_run, draw_predictions
from protloc.figures.style import sheet
from protloc.figures.thumbnail import bar_length, read_composite
from protloc.tables import write_table
from protloc.variants import read_scores
from subsets import as_predictions, in_both_subsets

CLASSES = ["er", "golgi", "vesicles"]
FRACTIONS = DESIGNS["fractions"]
TITLES = {"dino": "DINO", "untrained": "untrained", "majority": "majority guess"}


def summary(units: tuple[str, ...] = ("protein", "fov")) -> pd.DataFrame:
    rows = [
        {"backbone": name, "strategy": "none", "split_unit": unit, "fraction": fraction, "mean": level}
        for unit in units
        for level, name in ((0.6, "dino"), (0.2, "untrained"), (0.0, "majority"))
        for fraction in (0.1, 1.0)
    ]
    spread_of = {"low": lambda rows: rows["mean"] - 0.05, "high": lambda rows: rows["mean"] + 0.05}
    fixed = {"task": "linear", "label_policy": "single", "metric": "macro_f1", "runs": 3, "sd": 0.1}
    return in_both_subsets(pd.DataFrame(rows).assign(**fixed, **spread_of))


def scores(units: tuple[str, ...] = ("protein", "fov")) -> pd.DataFrame:
    return scores_over(FRACTIONS, summary(units), "linear")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> tuple[Path, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Raw folder, fovs, proteins and predictions of 12 fields of different shapes, two of each protein."""
    raw, rng = tmp_path_factory.mktemp("raw"), np.random.default_rng(0)
    fovs, predictions = [], []
    for number in range(12):
        height, width = 40 + 5 * (number % 3), 40 + 7 * (number % 2)
        name, gene = f"FID{number:08d}", f"G{number // 2}"
        tifffile.imwrite(raw / f"{name}.tif", rng.integers(300, 5000, (2, height, width), dtype=np.uint16))
        digest = hashlib.sha256((raw / f"{name}.tif").read_bytes()).hexdigest()
        shape = {"height": height, "width": width, "pixel_size_um": 0.2}
        fovs.append({"fov_id": name, "gene": gene, "key": f"{name}.tif", "sha256": digest} | shape)
        truth = [CLASSES[number // 2 % 3]]
        predicted = truth if number % 4 else ["golgi" if truth != ["golgi"] else "er"]
        predictions.append({"fov_id": name, "gene": gene, "truth": truth, "predicted": predicted})
    proteins = pd.DataFrame(
        {"gene": [f"G{n}" for n in range(6)], "grade_3": [[CLASSES[n % 3]] for n in range(6)]}
    )
    run = {"split_unit": "protein", "label_policy": "single", "fraction": 1.0, "seed": 0}
    return raw, pd.DataFrame(fovs), proteins, as_predictions(pd.DataFrame(predictions)).assign(**run)


def test_equal_content_gives_equal_bytes_without_a_date(tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        paths = [tmp_path / folder / f"fractions.{suffix}" for suffix in ("svg", "png")]
        draw_fractions(scores(), FRACTIONS, "linear", TITLES, ["untrained", "majority"], True, paths)
    for name in ("fractions.svg", "fractions.png"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert "dc:date" not in (tmp_path / "first" / "fractions.svg").read_text()
    assert not Image.open(tmp_path / "first" / "fractions.png").info.get("Software")


def test_simulated_data_are_marked_on_every_figure(tmp_path, study):
    raw, fovs, proteins, predictions = study
    embedding = (fovs["fov_id"].to_list(), np.eye(12, dtype=np.float32) + 1)
    for simulated in (True, False):
        out = [tmp_path / f"{name}-{simulated}.png" for name in ("fractions", "predictions", "neighbours")]
        draw_fractions(scores(("fov",)), FRACTIONS, "linear", TITLES, [], simulated, out[:1])
        shown = {"simulated": simulated, "outputs": out[1:2]}
        draw_predictions(predictions, fovs, raw, title="DINO", count=6, **shown)
        shown = {"simulated": simulated, "outputs": out[2:]}
        draw_neighbours([embedding], ["DINO"], fovs, proteins, raw, queries=2, neighbours=3, **shown)
    for name in ("fractions", "predictions", "neighbours"):
        with_note, without = (
            Image.open(tmp_path / f"{name}-{flag}.png").convert("L") for flag in (True, False)
        )
        corner = (with_note.width * 2 // 3, with_note.height - 40, with_note.width, with_note.height)
        assert np.asarray(with_note.crop(corner)).min() < 128
        assert np.asarray(without.crop(corner)).min() > 128


def test_fine_tuned_networks_are_drawn_beside_frozen_ones(tmp_path):
    frozen = summary()
    tuned = frozen[frozen["backbone"] == frozen["backbone"].iloc[0]].assign(task="finetune")
    drawn = {}
    for name, rows in {"without": frozen, "with": pd.concat([frozen, tuned])}.items():
        paths = [tmp_path / f"{name}.{suffix}" for suffix in ("svg", "png")]
        shown = scores_over(FRACTIONS, rows, "linear")
        draw_fractions(shown, FRACTIONS, "linear", TITLES, ["untrained", "majority"], True, paths)
        drawn[name] = paths[0].read_text().count("stroke-dasharray: 1.2,1.98")
    assert drawn["with"] > drawn["without"] == 0


def test_of_many_strategies_the_best_of_each_backbone_is_named(tmp_path):
    ends = {
        "one": [5, 9, 1, 3, 2, 4],
        "two": [1, 2, 3, 4, 9, 5],
        "three": [9, 1, 2, 3, 4, 5],
        "bare": [1] * 5 + [2],
    }
    rows = [
        {"backbone": name, "strategy": f"way_{way}", "fraction": fraction, "mean": 0.05 * mean}
        for name, several in ends.items()
        for way, best in enumerate(several)
        for fraction, mean in ((0.1, 10 - best), (1.0, best))
    ]
    bounds = {"low": 0.0, "high": 0.5, "runs": 3, "sd": 0.1, "task": "linear", "metric": "macro_f1"}
    table = pd.DataFrame(rows).assign(split_unit="protein", label_policy="single", **bounds)
    worst_in_test = in_both_subsets(table).assign(
        mean=lambda rows: rows["mean"].where(rows["subset"] == "validation", 0.5 - rows["mean"])
    )
    scores = scores_over(FRACTIONS, worst_in_test, "linear")
    drawn = {}
    for count in (4, 6):
        some, out = scores[scores["strategy"] < f"way_{count}"], tmp_path / f"{count}.svg"
        draw_fractions(some, FRACTIONS, "linear", {name: name for name in ends}, ["bare"], False, [out])
        names = re.findall(r"<!-- (\w+, way \d) -->", out.read_text())
        drawn[count] = sorted(names), "thin: 20 others" in out.read_text()
    assert len(drawn[4][0]) == 16 and not drawn[4][1]
    assert drawn[6] == (["bare, way 5", "one, way 1", "three, way 0", "two, way 4"], True)


def test_ticks_say_how_many_proteins_and_few_shot_runs_have_a_chart_of_their_own(tmp_path):
    table = summary(("protein",))
    few = [table[table["fraction"] == 1].assign(shots=count, groups_trained=5 * count) for count in (1, 4)]
    drawn = {}
    for name, design in DESIGNS.items():
        shown = scores_over(design, pd.concat([table, *few]), "linear")
        draw_fractions(shown, design, "linear", TITLES, [], False, [tmp_path / f"{name}.svg"])
        drawn[name] = re.findall(r"<!-- (.*?) -->", (tmp_path / f"{name}.svg").read_text(), re.DOTALL)
    assert {"6", "10 %", "60", "100 %"} <= set(drawn["fractions"])
    assert {"1", "5", "4", "20"} <= set(drawn["shots"])
    assert any(words.startswith("labelled proteins trained on") for words in drawn["fractions"])
    assert any(words.startswith("few-shot") for words in drawn["shots"])


def test_few_shot_scores_at_several_scales_are_lines_from_few_labels_to_many(tmp_path):
    table = summary(("protein",)).query("backbone == 'dino' and fraction == 1")
    few = [
        table.assign(shots=count, groups_trained=5 * count, scale=scale, mean=0.1 * scale + 0.02 * count)
        for count in (8, 1, 4, 2)
        for scale in (2.0, 1.0)
    ]
    path = tmp_path / "summary.parquet"
    summaries = pd.concat(few, ignore_index=True).assign(level="fov", k=0)
    write_table("summary", summaries, path)
    shown = scores_over(DESIGNS["shots"], read_scores("summary", str(path)), "linear")
    assert set(shown["strategy"]) == {"none", "none-x2"}
    for name, scale in (("none", 1), ("none-x2", 2)):
        line = _line(shown, "linear", ("dino", name))
        assert line["shots"].tolist() == [1, 2, 4, 8]
        assert line["mean"].to_numpy() == pytest.approx(0.1 * scale + 0.02 * np.array([1, 2, 4, 8]))


def test_ticks_that_are_too_close_share_their_words():
    rows = pd.DataFrame({"fraction": [0.1, 0.25, 1.0], "groups_trained": [17.0, 18.0, 79.0]})
    places, words = zip(*_ticks(rows, FRACTIONS), strict=True)
    assert words == ("17–18\n10, 25 %", "79\n100 %") and 17 < places[0] < 18


def test_what_is_shown_over_fractions_is_macro_f1_of_the_probe_and_of_fine_tuning():
    frozen = summary()
    tuned = frozen[frozen["backbone"] == "dino"].assign(task="finetune")
    others = [frozen.assign(task="mlp"), frozen.assign(metric="micro_f1"), tuned.assign(metric="micro_f1")]
    shown = scores_over(
        FRACTIONS, pd.concat([*others, tuned, frozen]).sample(frac=1, random_state=0), "linear"
    )
    assert shown["task"].value_counts().to_dict() == {"linear": len(frozen) // 2, "finetune": len(tuned) // 2}
    pd.testing.assert_frame_equal(shown, scores_over(FRACTIONS, pd.concat([frozen, tuned]), "linear"))


@pytest.mark.parametrize("other", [{"metric": "micro_f1"}, {"task": "knn"}])
def test_a_summary_without_macro_f1_of_probes_is_refused(other):
    with pytest.raises(InputError, match="no macro_f1 to draw"):
        scores_over(FRACTIONS, summary().assign(**other), "linear")


@pytest.mark.parametrize("heights", [[], [0.5], [0.0, 0.01, 0.02], [0.97, 0.98, 0.99], [0.1, 0.5, 0.51]])
def test_names_are_moved_apart_and_stay_inside(heights):
    placed = spread(np.array(heights), 0.05)
    assert (np.diff(placed) >= 0.05 - 1e-12).all()
    assert ((placed >= 0) & (placed <= 1)).all()


def test_names_with_room_stay_where_they_are():
    assert spread(np.array([0.1, 0.5, 0.9]), 0.05).tolist() == [0.1, 0.5, 0.9]


def test_fields_are_spread_over_classes_and_proteins_whatever_their_order():
    fields = pd.DataFrame({"fov_id": [f"FID{n:08d}" for n in range(40)]})
    fields["gene"] = [f"G{n // 4}" for n in range(40)]
    fields["label"] = [CLASSES[n // 4 % 3] for n in range(40)]
    chosen = spread_over_classes(fields, 7)
    assert chosen["label"].value_counts().sort_values().to_list() == [2, 2, 3]
    assert chosen["gene"].is_unique
    mixed = spread_over_classes(fields.sample(frac=1, random_state=0), 7)
    pd.testing.assert_frame_equal(chosen, mixed)
    assert len(spread_over_classes(fields, 100)) == 40


def test_the_sheet_shows_half_hits_and_half_misses_of_the_run_with_most_data(study):
    predictions = study[3]
    others = [
        predictions.assign(split_unit="fov"),
        predictions.assign(fraction=0.1),
        predictions.assign(seed=1),
        predictions.assign(subset="validation"),
        predictions.assign(shots=2),
    ]
    run, name = _one_run(pd.concat([*others, predictions]))
    assert len(run) == 12 and "split by protein" in name
    assert {hit: len(half) for hit, half in _halves(run, 6).items()} == {True: 3, False: 3}
    assert {hit: len(half) for hit, half in _halves(run, 10).items()} == {True: 7, False: 3}
    assert {hit: len(half) for hit, half in _halves(run[run["hit"]], 4).items()} == {True: 4}


def test_a_prediction_of_an_unlisted_field_is_refused(study, tmp_path):
    raw, fovs, _, predictions = study
    with pytest.raises(InputError, match=r"fovs.parquet: fov_id: FID00000000 is predicted but not listed"):
        draw_predictions(
            predictions, fovs[1:], raw, title="x", count=4, simulated=False, outputs=[tmp_path / "x.png"]
        )


def test_neighbours_are_exact_and_of_other_proteins():
    rng = np.random.default_rng(0)
    ids = [f"FID{n:08d}" for n in range(30)]
    vectors = rng.normal(size=(30, 8)).astype(np.float32)
    genes = {name: f"G{n // 3}" for n, name in enumerate(ids)}
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = pd.Series(unit @ unit[4], index=ids).drop(ids[3:6]).sort_values(ascending=False)
    found = nearest(ids[4], ids, vectors, genes, 5)
    assert [name for name, _ in found] == cosine.index[:5].to_list()
    assert [similarity for _, similarity in found] == pytest.approx(cosine[:5].to_list(), abs=1e-5)


def test_ties_go_by_id_and_a_single_protein_is_its_own_neighbour():
    ids = ["FID3", "FID1", "FID2"]
    same = np.ones((3, 4), dtype=np.float32)
    genes = {"FID3": "A", "FID1": "B", "FID2": "C"}
    assert nearest("FID3", ids, same, genes, 5) == [("FID1", 1.0), ("FID2", 1.0)]
    assert nearest("FID3", ids, same, dict.fromkeys(ids, "A"), 5) == [("FID1", 1.0), ("FID2", 1.0)]
    assert nearest("FID3", ids, 0 * same, genes, 1) == [("FID1", 0.0)]


def test_embeddings_without_common_fields_are_refused(study, tmp_path):
    raw, fovs, proteins, _ = study
    embeddings = [(["FID00000000"], np.ones((1, 2))), (["FID00000001"], np.ones((1, 2)))]
    options = {"queries": 2, "neighbours": 2, "simulated": False, "outputs": [tmp_path / "x.png"]}
    with pytest.raises(InputError, match="0 fields in common"):
        draw_neighbours(embeddings, ["a", "b"], fovs, proteins, raw, **options)


def test_nine_real_fields_of_different_sizes_make_a_sheet(shared, tmp_path):
    raw = shared / "data" / "opencell-samples"
    fovs = []
    for path in sorted(raw.rglob("*_proj.tif")):
        height, width = tifffile.imread(path).shape[1:]
        name = {"fov_id": path.stem.split("_")[-2], "gene": path.stem.split("_")[1]}
        file = {"key": str(path.relative_to(raw)), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        fovs.append(name | file | {"height": height, "width": width, "pixel_size_um": 0.206349})
    fovs = pd.DataFrame(fovs)
    proteins = pd.DataFrame({"gene": fovs["gene"], "grade_3": [["golgi"]] * len(fovs)})
    vectors = np.random.default_rng(0).normal(size=(len(fovs), 16))
    options = {"queries": 9, "neighbours": 5, "simulated": False, "outputs": [tmp_path / "sheet.png"]}
    draw_neighbours([(fovs["fov_id"].to_list(), vectors)], ["random"], fovs, proteins, raw, **options)
    assert Image.open(tmp_path / "sheet.png").size[0] == 1080


def test_a_composite_is_blue_where_the_nucleus_is_and_green_where_the_protein_is(tmp_path):
    counts = np.full((2, 60, 90), 300, dtype=np.uint16)
    counts[0, :20], counts[1, -20:] = 4000, 4000
    tifffile.imwrite(tmp_path / "x.tif", counts)
    digest = hashlib.sha256((tmp_path / "x.tif").read_bytes()).hexdigest()
    image = read_composite(pd.Series({"key": "x.tif", "sha256": digest}), tmp_path)
    assert image.shape == (60, 90, 3) and image.dtype == np.uint8
    assert image[5, 5].argmax() == 2 and image[-5, 5].argmax() == 1 and image[30, 30].max() == 0


def test_large_fields_are_shown_small(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", np.zeros((2, 1000, 900), dtype=np.uint16))
    digest = hashlib.sha256((tmp_path / "x.tif").read_bytes()).hexdigest()
    image = read_composite(pd.Series({"key": "x.tif", "sha256": digest}), tmp_path)
    assert image.shape == (334, 300, 3)


def test_the_scale_bar_suits_the_narrowest_field():
    fields = pd.DataFrame({"width": [600, 126], "height": [600, 110], "pixel_size_um": 0.206349})
    assert bar_length(fields) == 5
    assert bar_length(fields[:1]) == 20


def test_a_preview_shows_the_same_sheet_in_fewer_bytes_however_tall(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).random((80, 120))
    for limit in (16383, 300):
        monkeypatch.setattr("protloc.figures.style.PREVIEW_PX", limit)
        outputs = [tmp_path / f"{limit}.png", tmp_path / f"{limit}.webp"]
        with sheet(80.0, outputs, dpi=150, photos=True) as figure:
            figure.add_axes((0.1, 0.1, 0.8, 0.8)).imshow(noise, interpolation="bicubic", cmap="Greens")
        whole, preview = (Image.open(path).convert("L") for path in outputs)
        assert preview.height == min(limit, whole.height)
        same = np.asarray(whole.resize(preview.size)).astype(float) - np.asarray(preview)
        assert np.abs(same).mean() < 6  # of 255
    assert (tmp_path / "16383.webp").stat().st_size < (tmp_path / "16383.png").stat().st_size / 2
