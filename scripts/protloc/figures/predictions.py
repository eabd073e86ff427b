"""A contact sheet of test fields with what the probe said of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from protloc.choose import spread_over_classes
from protloc.errors import InputError
from protloc.figures.style import EDGE_MM, MARKS, RIGHT, WIDTH_MM, WRONG, note, plain, sheet, write
from protloc.figures.thumbnail import CONTRAST, bar_length, draw_thumbnail, place, wrapped

COLUMNS = 6
GAP, LINE, HEADING, TITLE, FOOT = 2.5, 2.75, 5.0, 8.0, 5.0  # mm
SIDE = (WIDTH_MM - 2 * EDGE_MM - (COLUMNS - 1) * GAP) / COLUMNS
LETTERS = 25  # of a line below a thumbnail


def draw_predictions(
    predictions: pd.DataFrame,
    fovs: pd.DataFrame,
    raw: Path,
    *,
    title: str,
    count: int,
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the sheet: up to `count` fields, half of them hits and half misses, as far as there are any.

    `predictions` and `fovs` are the tables of those names, `raw` is the folder below which the fields lie.
    Raises InputError if there is no prediction, or one of a field that `fovs` lacks.
    """
    if predictions.empty:
        raise InputError("predictions.parquet: holds no prediction; run again with --forcerun probe")
    run, name = _one_run(predictions)
    halves = _halves(run, count)
    fields = fovs.set_index("fov_id", drop=False)
    unknown = sorted(set(run["fov_id"]) - set(fields.index))
    if unknown:
        raise InputError(f"fovs.parquet: fov_id: {unknown[0]} is predicted but not listed; acquire again")
    lines = max(len(_words(row)) for half in halves.values() for _, row in half.iterrows())
    pitch = SIDE + lines * LINE + GAP
    rows = sum(-(-len(half) // COLUMNS) for half in halves.values())
    bar_um = bar_length(fields.loc[pd.concat(halves.values())["fov_id"]])
    with sheet(TITLE + FOOT + HEADING * len(halves) + rows * pitch, outputs, dpi=200, photos=True) as figure:
        write(figure, f"{title}: {name}", 2.5, fontweight="bold")
        top = TITLE
        for hit, half in halves.items():
            share = f"{len(half)} of {(run['hit'] == hit).sum()}"
            frame, name = (RIGHT, "hits") if hit else (WRONG, "misses")
            write(figure, f"{MARKS[hit]} {name}: {share}", top, color=frame)
            top += HEADING
            for number, (_, row) in enumerate(half.iterrows()):
                across, down = number % COLUMNS, number // COLUMNS
                axis = place(figure, EDGE_MM + across * (SIDE + GAP), top + down * pitch, SIDE)
                field = fields.loc[row["fov_id"]]
                draw_thumbnail(axis, field, raw, bar_um=bar_um, frame=frame, words=_words(row))
            top += -(-len(half) // COLUMNS) * pitch
        note(figure, f"{CONTRAST}; bars {bar_um} µm.", simulated)


def _one_run(predictions: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The run that is shown, with the columns label and hit, and what it is called."""
    run = predictions[(predictions["subset"] == "test") & (predictions["shots"] == 0)]
    for column, first in (("split_unit", "protein"), ("label_policy", "single")):
        present = sorted(run[column].unique(), key=lambda value, first=first: (value != first, value))
        run = run[run[column] == present[0]]
    run = run[run["fraction"] == run["fraction"].max()]
    run = run[run["seed"] == run["seed"].min()]
    hit = run["truth"].map(sorted) == run["predicted"].map(sorted)
    first = run.iloc[0]
    name = (
        f"test fields, split by {first['split_unit']}, {first['label_policy']} labels, seed {first['seed']}"
    )
    return run.assign(hit=hit, label=run["truth"].map(lambda labels: labels[0])), name


def _halves(run: pd.DataFrame, count: int) -> dict[bool, pd.DataFrame]:
    """Hits and misses that are shown; where one kind is short, more of the other."""
    hits, misses = run[run["hit"]], run[~run["hit"]]
    of_misses = min(len(misses), count - min(len(hits), count // 2))
    chosen = {
        True: spread_over_classes(hits, count - of_misses),
        False: spread_over_classes(misses, of_misses),
    }
    return {hit: half for hit, half in chosen.items() if len(half)}


def _words(row: pd.Series) -> list[str]:
    """Below a field: gene with its mark, what it is, what it was taken for."""
    labels = {"true": row["truth"], "probe": row["predicted"]}
    said = (f"{kind}: {', '.join(map(plain, names)) or 'nothing'}" for kind, names in labels.items())
    return [
        f"{MARKS[row['hit']]} {row['gene']}",
        *(line for text in said for line in wrapped(text, LETTERS, 2)),
    ]
