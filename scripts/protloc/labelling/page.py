"""The page on which a person labels cells: one HTML file that needs no network and keeps what was entered."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from protloc.atomic import write_text
from protloc.cell_view import crops_of_width
from protloc.config.settings import Study
from protloc.contrast import TINTS
from protloc.crops import Crops, open_crops
from protloc.errors import InputError
from protloc.hashing import sha256_value
from protloc.labelling.answers import UNSURE, read_answers
from protloc.labelling.pictures import draw, field_limits
from protloc.labelling.sample import choose_cells
from protloc.tables import read_table

NEEDED = ("cells.parquet", "proteins.parquet", "crops/pixels.npy", "crops/masks.npy")
KEYS = "1234567890qwertasdfgyiphjklxvbnm"  # of the classes, in order; c, o, u and z do something else
BARS_UM = (50, 20, 10, 5, 2, 1)


def write_label_page(
    results: Path, study: Study, output: Path, *, count: int, seed: int, earlier: Path | None = None
) -> str:
    """Write the page for up to `count` cells of the study below `results`; give a line on what is in it.

    The cells of `earlier`, a file of labels, are among them with what they were said to be. Raises InputError
    where the study has no cells, or more classes than there are keys.
    """
    missing = [name for name in NEEDED if not (results / name).is_file()]
    if missing or study.cells is None:
        raise InputError(f"{results}: has no {(missing or ['cells'])[0]}; run the study with cells first")
    if count < 1:
        raise InputError(f"--cells: {count} is no number of cells to label; give 1 or more")
    cells = read_table("cells", results / "cells.parquet")
    answers = read_answers(earlier, cells, study.classes) if earlier else {}
    chosen = choose_cells(cells, read_table("proteins", results / "proteins.parquet"), count, seed, answers)
    if chosen.empty:
        raise InputError(f"{results}/cells.parquet: kept: no cell is; name fewer flags in cells.exclude")
    crops = open_crops(results / "crops/pixels.npy", results / "crops/masks.npy")
    crops = crops_of_width(crops, cells, study.cells.crop_um)
    data = page_data(study.study, study.classes, cells, chosen, crops, answers)
    write_text(output, render(data))
    size = output.stat().st_size / 1e6
    return f"wrote {output}: {len(chosen)} cells of {chosen['gene'].nunique()} proteins, {size:.1f} MB"


def page_data(
    study: str,
    classes: Sequence[str],
    cells: pd.DataFrame,
    chosen: pd.DataFrame,
    crops: Crops,
    answers: Mapping[str, str],
) -> dict[str, Any]:
    """What the page's script works on: the classes with their keys, and the `chosen` cells, no gene among it.

    `set` is a digest of cells, classes and earlier labels: what a browser keeps is found again by it.
    """
    asked = [
        {
            "id": cell["cell_id"],
            "y_um": round(cell["y_um"], 2),
            "x_um": round(cell["x_um"], 2),
            "label": answers.get(cell["cell_id"], ""),
        }
        for cell in chosen.to_dict("records")
    ]
    pictures = (_pictures(cell, cells, crops) for cell in chosen.to_dict("records"))
    side_um = crops.side * float(chosen["pixel_size_um"].iloc[0])
    bar_um = next((length for length in BARS_UM if length <= side_um / 3), BARS_UM[-1])
    return {
        "study": study,
        "set": sha256_value([asked, [*classes]])[:16],
        "answers": [*_keyed(classes), {"name": UNSURE, "key": "u"}],
        "bar": {"um": bar_um, "share": round(bar_um / side_um, 4)},
        "tints": TINTS.astype(float).round(4).tolist(),
        "cells": [cell | shown for cell, shown in zip(asked, pictures, strict=True)],
    }


def render(data: Mapping[str, Any]) -> str:
    """The page around its data. Its policy lets nothing in or out but what the file itself holds."""
    room = Path(__file__).parent
    style, script = (room.joinpath(name).read_text(encoding="utf-8") for name in ("label.css", "label.js"))
    pages = Environment(loader=FileSystemLoader(room), autoescape=True, undefined=StrictUndefined)
    return pages.get_template("label.html").render(
        study=data["study"],
        style=style,
        script=script,
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        data=script_json(data),
    )


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element: nothing in it ends the element or begins a comment."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e")


def _pictures(cell: Mapping[str, Any], cells: pd.DataFrame, crops: Crops) -> dict[str, Any]:
    of_field = field_limits(crops, cells.loc[cells["fov_id"] == cell["fov_id"], "row"].to_list())
    nucleus = crops.masks([cell["row"]], "nucleus")[0]
    return asdict(draw(crops.read([cell["row"]])[0], nucleus, of_field))


def _keyed(classes: Sequence[str]) -> list[dict[str, str]]:
    if UNSURE in classes:
        raise InputError(f"configuration: classes: {UNSURE} is what a person enters who is; rename the class")
    if len(classes) > len(KEYS):
        raise InputError(
            f"configuration: classes: {len(classes)} are more than the {len(KEYS)} keys for them"
        )
    return [{"name": name, "key": key} for name, key in zip(classes, KEYS, strict=False)]


def _hash(text: str) -> str:
    """The source expression of a content security policy for an inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
