from __future__ import annotations

import base64
import io
import json
import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from labelled_study import CLASSES, cell_rows, make_study, proteins_of
from PIL import Image
from protloc.cli import main
from protloc.contrast import TINTS, limits, stretch
from protloc.crops import open_crops
from protloc.errors import InputError
from protloc.labelling.answers import UNSURE, read_answers
from protloc.labelling.page import KEYS, page_data, script_json
from protloc.labelling.pictures import draw, field_limits
from protloc.labelling.sample import choose_cells
from protloc.labelling.table import label_cells, single_labels
from protloc.tables import read_table, write_table
from scipy.ndimage import gaussian_filter

SETTINGS = {"classes": CLASSES, "min_proteins": 1}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return make_study(tmp_path_factory.mktemp("study") / "trial")


def cells() -> pd.DataFrame:
    """Three fields of three proteins; the last cell of A and both of C are not kept."""
    of_a = cell_rows(3, "FID00000001", "A", kept=[True, True, False], y_um=[10.0, 30.0, 50.0], x_um=20.0)
    of_c = cell_rows(2, "FID00000003", "C", kept=False)
    return pd.concat([of_a, cell_rows(2, "FID00000002", "B"), of_c], ignore_index=True)


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_single_gives_a_kept_cell_its_proteins_only_localization():
    rows = single_labels(cells(), proteins_of({"A": ["er"], "B": ["er", "golgi"], "C": ["golgi"]}), 1)
    assert rows[["cell_id", "gene", "label"]].to_numpy().tolist() == [
        ["FID00000001-0001", "A", "er"],
        ["FID00000001-0002", "A", "er"],
    ]


def test_single_leaves_out_classes_with_few_proteins_that_have_kept_cells_and_says_so(caplog):
    three = pd.concat([cells(), cell_rows(1, "FID00000004", "D")])
    rows = single_labels(three, proteins_of({"A": ["er"], "B": ["golgi"], "C": ["golgi"], "D": ["er"]}), 2)
    assert set(rows["gene"]) == {"A", "D"}
    assert "classes left out, fewer than 2 proteins: golgi (1)" in caplog.text


def test_hand_keeps_what_a_person_said_of_kept_cells_and_counts_the_rest(tmp_path, caplog):
    text = "cell_id,label\nFID00000001-0001,golgi\nFID00000001-0002,unsure\nFID00000001-0003,er\n"
    path = written(tmp_path, text + "FID00000002-0001,\nFID00000002-0002,er\n")
    with caplog.at_level(logging.INFO):
        labels = label_cells(cells(), proteins_of({"B": ["er"]}), path, **SETTINGS)
    write_table("cell_labels", labels, tmp_path / "labels.parquet")
    table = read_table("cell_labels", tmp_path / "labels.parquet")
    hand = table[table["label_policy"] == "hand"]
    assert hand.set_index("cell_id")["label"].to_dict() == {
        "FID00000001-0001": "golgi",
        "FID00000002-0002": "er",
    }
    assert hand["gene"].to_list() == ["A", "B"]
    assert (table["label_policy"] == "single").sum() == 2
    assert "labels.csv: 1 of 5 lines have no label yet" in caplog.text
    assert "policy hand: 3 cells have a label, a person was unsure of 1" in caplog.text
    assert "policy hand: 1 labelled cells are left out: cells.exclude" in caplog.text


def test_no_label_at_all_is_an_error_and_no_empty_table():
    with pytest.raises(InputError, match=r"no cell has a label: .* lower splits\.min_proteins"):
        label_cells(cells(), proteins_of({"A": ["er", "golgi"], "B": []}), None, **SETTINGS)


def test_answers_are_read_as_spreadsheets_write_them(tmp_path):
    path = tmp_path / "labels.csv"
    text = '\ufefflabel,cell_id,"note"\r\ner,FID00000001-0001,"a, b"\r\n er ,FID00000001-0001,\r\n'
    path.write_bytes((text + ",FID00000002-0001,\r\n\r\nunsure,FID00000002-0002,\r\n").encode())
    assert read_answers(path, cells(), CLASSES) == {"FID00000001-0001": "er", "FID00000002-0002": UNSURE}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "labels.csv: column cell_id is missing; expected cell_id,label"),
        ("cell_id;label\nFID00000001-0001;er\n", "column cell_id is missing"),
        ("cell_id,class\nFID00000001-0001,er\n", "column label is missing"),
        ("cell_id,label\n", "label: no cell has one; label some, or leave cells.labels out"),
        ("cell_id,label\nFID00000001-0001,\n", "label: no cell has one"),
        ("cell_id,label\nFID00000001-0001\n", "line 2: has not as many values as columns"),
        ("cell_id,label\nFID00000001-0001,er,golgi\n", "line 2: has not as many values as columns"),
        (
            "cell_id,label\nFID00000001-0001,er\nFID00000009-0001,er\nFID00000009-0002,er\n",
            r"line 3: cell_id: FID00000009-0001 is not in cells.parquet \(2 such lines\)",
        ),
        ("cell_id,label\n,er\n", "line 2: cell_id: an empty one is not in cells.parquet"),
        ("cell_id,label\nFID00000001-0001,Golgi\n", "line 2: label: Golgi is no class; allowed: er, golgi,"),
        (
            "cell_id,label\nFID00000001-0001,er\nFID00000001-0001,unsure\n",
            "line 3: label: FID00000001-0001 is unsure here and er above; keep one",
        ),
        (
            "cell_id,label,y_um,x_um\nFID00000001-0001,er,10.9,20\nFID00000001-0002,er,26.9,20\n",
            r"line 3: y_um, x_um: FID00000001-0002 lies elsewhere in cells.parquet \(1 such lines\)",
        ),
        ("cell_id,label,y_um,x_um\nFID00000001-0001,er,10,left\n", "line 2: y_um, x_um: could not convert"),
        ("cell_id,label,y_um,x_um\nFID00000001-0001,er,10,nan\n", "lies elsewhere"),
    ],
)
def test_a_wrong_file_of_answers_is_refused_with_file_and_line(text, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        read_answers(written(tmp_path, text), cells(), CLASSES)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"cell_id,label\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"labels\.csv: not a readable file of labels"):
        read_answers(tmp_path / "labels.csv", cells(), CLASSES)


def many() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Four proteins of er, one of golgi with many cells, one of both; a fifth of the cells is not kept."""
    grades = {f"E{n}": ["er"] for n in range(4)} | {"G": ["golgi"], "S": ["er", "golgi"]}
    counts = {gene: 60 if gene == "G" else 15 for gene in grades}
    fields = [cell_rows(count, f"FID{n:08d}", gene) for n, (gene, count) in enumerate(counts.items())]
    table = pd.concat(fields, ignore_index=True)
    return table.assign(kept=table["label"] % 5 > 0), proteins_of(grades)


def test_cells_to_label_are_spread_over_classes_and_proteins_and_kept():
    table, proteins = many()
    chosen = choose_cells(table, proteins, 24, seed=0)
    assert chosen["kept"].all()
    assert chosen["gene"].value_counts().to_dict() == {"G": 8, "S": 8, "E0": 2, "E1": 2, "E2": 2, "E3": 2}
    assert not chosen["gene"].is_monotonic_increasing


def test_the_choice_depends_on_the_seed_alone_and_a_larger_one_holds_a_smaller():
    table, proteins = many()
    first = choose_cells(table, proteins, 24, seed=0)
    again = choose_cells(table.sample(frac=1, random_state=1), proteins.iloc[::-1], 24, seed=0)
    pd.testing.assert_frame_equal(first, again)
    assert set(first["cell_id"]) < set(choose_cells(table, proteins, 40, seed=0)["cell_id"])
    assert set(first["cell_id"]) != set(choose_cells(table, proteins, 24, seed=1)["cell_id"])


def test_cells_already_answered_are_shown_whether_kept_or_not():
    table, proteins = many()
    answered = {"FID00000000-0005", "FID00000004-0059"}
    chosen = choose_cells(table, proteins, 24, 0, answered)
    assert answered < set(chosen["cell_id"])
    assert len(chosen) == 24
    assert len(choose_cells(table, proteins, 1, 0, answered)) == 2


def test_the_contrast_of_the_field_is_reached_from_that_of_the_crop(results):
    crops = open_crops(results / "crops/pixels.npy", results / "crops/masks.npy")
    counts = crops.read([3])[0]
    of_field = field_limits(crops, [0, 1, 2, 3])
    pictures = draw(counts, crops.masks([3], "nucleus")[0], of_field)
    for channel, name in enumerate(("nucleus", "protein")):
        slope, shift = pictures.field[channel]
        seen = pixels_of(getattr(pictures, name)) / 255
        expected = stretch(counts, *of_field)[channel]
        off = np.abs(np.clip(slope * seen + shift, 0, 1) - expected)
        assert off[(seen > 0) & (seen < 1)].max() < 0.51 / 255 * slope + 1e-3
        assert np.abs(seen - expected).max() > 0.05


def pixels_of(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))))


def page_of(results: Path, folder: Path, *words: str) -> Path:
    assert main(["label", str(results), str(folder / "label.html"), *words]) == 0
    return folder / "label.html"


def data_of(page: Path) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)[1])


def test_a_page_is_blind_whole_and_the_same_each_time(results, tmp_path, capsys):
    page = page_of(results, tmp_path, "--cells", "30")
    assert re.search(r"wrote \S+/label.html: 30 cells of 11 proteins, 0\.\d MB", capsys.readouterr().out)
    content = page.read_text()
    assert not re.search(r"SIM\d{4}", content)
    assert set(re.findall(r"https?://[^\"']*", content)) == set()
    assert [cell["label"] for cell in data_of(page)["cells"]] == [""] * 30
    assert page_of(results, tmp_path, "--cells", "30").read_text() == content
    assert len(content) / 30 < 15e6 / 200


def test_a_page_goes_on_from_earlier_labels(results, tmp_path):
    first = data_of(page_of(results, tmp_path, "--cells", "5", "--seed", "3"))["cells"]
    lines = [f"{cell['id']},golgi,{cell['y_um']},{cell['x_um']}" for cell in first]
    path = written(tmp_path, "\n".join(["cell_id,label,y_um,x_um", *lines]))
    second = data_of(page_of(results, tmp_path, "--cells", "12", "--csv", str(path)))["cells"]
    labelled = {cell["id"] for cell in second if cell["label"] == "golgi"}
    assert labelled == {cell["id"] for cell in first}
    assert len(second) == 12


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cells", "0"], "--cells: 0 is no number of cells to label"),
        (["--csv", "none.csv"], "none.csv: not a readable file of labels"),
    ],
)
def test_a_page_that_cannot_be_is_one_line_and_status_1(results, tmp_path, capsys, words, message):
    assert main(["label", str(results), str(tmp_path / "label.html"), *words]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "label.html").exists()


def test_a_study_without_cells_is_named(results, tmp_path, capsys):
    (tmp_path / "config.yaml").write_bytes((results / "config.yaml").read_bytes())
    assert main(["label", str(tmp_path), str(tmp_path / "label.html")]) == 1
    assert f"{tmp_path}: has no cells.parquet; run the study with cells first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("classes", "message"),
    [(["er", "unsure"], "rename the class"), ([f"c{n}" for n in range(len(KEYS) + 1)], "33 are more than")],
)
def test_classes_without_a_key_of_their_own_are_refused(results, classes, message):
    table = read_table("cells", results / "cells.parquet")
    crops = open_crops(results / "crops/pixels.npy", results / "crops/masks.npy")
    with pytest.raises(InputError, match=message):
        page_data("trial", classes, table, table[:1], crops, {})


def test_keys_are_single_and_free():
    assert len(set(KEYS)) == len(KEYS)
    assert not set(KEYS) & set("cuoz")


def test_data_cannot_end_the_script_they_are_in():
    text = script_json({"a": "</script><!--<script>"})
    assert not set(text) & set("<>")
    assert json.loads(text) == {"a": "</script><!--<script>"}


def unload(chromium) -> bool:
    """Whether the page would ask before it is left."""
    return chromium.driver.execute_script(
        "const e = new Event('beforeunload', {cancelable: true}); dispatchEvent(e); return e.defaultPrevented"
    )


def shown(chromium) -> str:
    return chromium.driver.execute_script("return page.cells[state.at].id")


def label(chromium, keys: str) -> dict[str, str]:
    """Press keys of classes; what each shown cell was labelled."""
    given = {}
    for key in keys:
        given[shown(chromium)] = UNSURE if key == "u" else CLASSES[KEYS.index(key)]
        chromium.press(key)
    return given


def test_twenty_cells_are_labelled_by_keyboard_kept_over_a_reload_and_exported(results, tmp_path, chromium):
    from selenium.webdriver import Keys

    chromium.open(page_of(results, tmp_path, "--cells", "24"))
    assert chromium.text("#count") == "0 of 24 labelled"
    assert not unload(chromium)
    given = label(chromium, "1234512u45")
    assert chromium.text("#count") == "10 of 24 labelled, 1 unsure"
    assert chromium.text("#where") == "Cell 11 of 24"
    chromium.press(Keys.BACKSPACE, Keys.ARROW_LEFT)
    given |= label(chromium, "3")
    chromium.press("2", "z")
    assert chromium.text("#where") == "Cell 10 of 24"
    chromium.press(Keys.ARROW_RIGHT)
    assert unload(chromium)

    chromium.driver.refresh()
    assert chromium.text("#count") == "10 of 24 labelled, 1 unsure"
    assert chromium.text("#where") == "Cell 11 of 24"
    assert unload(chromium)
    given |= label(chromium, "5432154321")
    assert chromium.text("#count") == "20 of 24 labelled, 1 unsure"
    chromium.click("#export")
    path = chromium.downloaded("protloc-labels-trial.csv")
    assert not unload(chromium)

    table = read_table("cells", results / "cells.parquet")
    assert read_answers(path, table, CLASSES) == dict(sorted(given.items()))
    labels = label_cells(table, read_table("proteins", results / "proteins.parquet"), path, **SETTINGS)
    hand = labels[labels["label_policy"] == "hand"].set_index("cell_id")["label"].to_dict()
    assert hand == {cell: answer for cell, answer in given.items() if answer != UNSURE}

    chromium.driver.execute_script("localStorage.clear(); state = fresh(); update()")
    given_here = label(chromium, "2")
    chromium.driver.find_element("id", "import").send_keys(str(path))
    expected = len(given | given_here)
    assert chromium.text("#count").startswith(f"{expected} of 24 labelled")
    assert chromium.text("#notice") == said_of_import(given, given_here)
    assert chromium.console() == []
    assert chromium.requests() == []
    path.unlink()


def said_of_import(given: dict[str, str], here: dict[str, str]) -> str:
    differ = sum(given.get(cell, answer) != answer for cell, answer in here.items())
    said = f"{len(given.keys() - here.keys())} labels imported"
    return said + (f"; {differ} differ from those here, which stay." if differ else ".")


def test_a_digit_counts_by_its_place_and_a_held_key_once(results, tmp_path, chromium):
    chromium.open(page_of(results, tmp_path, "--cells", "7"))
    press = "document.dispatchEvent(new KeyboardEvent('keydown', arguments[0]))"
    for event in ({"code": "Digit2", "key": "é"}, {"code": "KeyU", "key": "U"}):
        chromium.driver.execute_script(press, event)
        chromium.driver.execute_script(press, event | {"repeat": True})
    chromium.driver.execute_script(press, {"code": "Digit1", "key": "1", "ctrlKey": True})
    assert chromium.driver.execute_script("return Object.values(state.labels)") == [CLASSES[1], UNSURE]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cell,label\nx,er\n", "Not imported: the file has no columns cell_id and label."),
        ("cell_id,label\nx,cilium\n", "Not imported: cilium is no class of this study."),
        ('"label","cell_id"\r\n"er","x, y"\r\n', "0 labels imported; 1 are of cells that this page lacks."),
    ],
)
def test_a_file_that_does_not_fit_the_page_is_not_imported_unsaid(results, tmp_path, chromium, text, message):
    chromium.open(page_of(results, tmp_path, "--cells", "6"))
    chromium.driver.find_element("id", "import").send_keys(str(written(tmp_path, text)))
    assert chromium.text("#notice") == message
    assert chromium.text("#count") == "0 of 6 labelled"


def test_the_composite_has_the_colours_of_the_figures_at_both_contrasts(results, tmp_path, chromium):
    chromium.open(page_of(results, tmp_path, "--cells", "6", "--seed", "1"))
    chromium.press("o")
    chromium.driver.execute_script("document.getElementById('scale').hidden = true")
    table = read_table("cells", results / "cells.parquet").set_index("cell_id")
    crops = open_crops(results / "crops/pixels.npy", results / "crops/masks.npy")
    cell = table.loc[shown(chromium)]
    counts = crops.read([cell["row"]])[0]
    rows = table.loc[table["fov_id"] == cell["fov_id"], "row"].to_list()
    seen, expected = [], []
    for ends in (limits(counts), field_limits(crops, rows)):
        colours = np.tensordot(stretch(counts, *ends), TINTS, axes=(0, 0))
        expected.append(gaussian_filter(np.clip(colours, 0, 1), (2, 2, 0)))
        frame = chromium.driver.find_element("css selector", ".both .frame").screenshot_as_png
        picture = Image.open(io.BytesIO(frame)).convert("RGB").resize(counts.shape[1:], Image.Resampling.BOX)
        seen.append(gaussian_filter(np.asarray(picture) / 255, (2, 2, 0)))
        chromium.press("c")
    assert np.abs(expected[0] - expected[1]).mean() > 0.015
    assert np.abs(np.stack(seen) - np.stack(expected)).mean(axis=(1, 2, 3)).max() < 0.008


def test_the_page_lets_nothing_out_and_the_browser_would_notice(results, tmp_path, chromium):
    asking = "const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i)"
    chromium.open(page_of(results, tmp_path, "--cells", "6"))
    chromium.driver.execute_async_script(f"{asking}; setTimeout(arguments[0], 300)")
    assert "Content Security Policy" in " ".join(chromium.console())
    bare = written(tmp_path, "").with_name("bare.html")
    bare.write_text("<!doctype html><title>bare</title><body></body>")
    chromium.open(bare)
    chromium.driver.execute_async_script(f"{asking}; setTimeout(arguments[0], 300)")
    assert chromium.requests() == ["http://127.0.0.1:9/x.png"]
