"""Query cells and their nearest neighbours under each backbone, as the kNN that is scored found them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from protloc.choose import spread_over_classes
from protloc.crops import Crops
from protloc.figures.blocks import LINES, Block, all_names, draw_blocks
from protloc.figures.cell_policies import POLICIES, of_first_policy
from protloc.figures.style import INK, MARKS, RIGHT, WRONG, missing, note, plain, sheet
from protloc.figures.thumbnail import CONTRAST, bar_length, composite, draw_image, wrapped

APART = {"protein": "protein", "fov": "field", "cell": "cell"}
EMPTY = 30.0  # mm, height of a sheet without cells
OUTLINE = {"colors": "white", "linewidths": 0.4, "alpha": 0.7}


def draw_cells_neighbours(
    tables: Sequence[pd.DataFrame],
    titles: Sequence[str],
    cells: pd.DataFrame,
    crops: Crops,
    *,
    queries: int,
    neighbours: int,
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the sheet: a block per backbone, a row per query, its neighbours from near to far.

    `tables` are those called neighbours, one per backbone, and `titles` their names; of each the run with the
    first seed is shown in which neighbours are most apart. `cells` is the table that lists the `crops`.
    """
    runs = [_one_run(table) for table in tables]
    common = set.intersection(*(set(run.index) for run in runs)) if runs else set()
    if not common:
        with sheet(EMPTY, outputs, dpi=150, photos=True) as figure:
            missing(figure, "No cell has a label: no neighbours were looked for.")
            note(figure, "", simulated)
        return
    drawn = runs[0].loc[sorted(common)]
    asked = spread_over_classes(drawn.assign(label=drawn["truth"]), queries, key="cell_id")["cell_id"]
    blocks = [
        Block(title, {query: _found(run.loc[query], neighbours) for query in asked})
        for title, run in zip(titles, runs, strict=True)
    ]
    shown = drawn.join(cells.set_index("cell_id")[["row", "pixel_size_um"]]).loc[all_names(blocks)]
    bar_um = bar_length(shown.assign(width=crops.side, height=crops.side))

    def show(axis: Axes, query: str, name: str, similarity: float | None, letters: int) -> None:
        cell = shown.loc[name]
        frame, words = _look(cell, shown.loc[query], similarity, letters)
        bar = bar_um / (crops.side * cell["pixel_size_um"])
        draw_image(axis, composite(crops.read([cell["row"]])[0]), bar, frame, words)
        middles = np.arange(crops.side) + 0.5
        axis.contour(middles, middles, crops.masks([cell["row"]], "nucleus")[0], [0.5], **OUTLINE)

    draw_blocks(blocks, show, neighbours, _caption(drawn, bar_um), simulated, outputs)


def _one_run(table: pd.DataFrame) -> pd.DataFrame:
    """The run that is shown, by cell_id."""
    run = of_first_policy(table)
    unit = next((unit for unit in APART if unit in set(run["apart"])), None)
    run = run[run["apart"] == unit]
    return run[run["seed"] == run["seed"].min()].set_index("cell_id", drop=False).rename_axis(None)


def _found(query: pd.Series, count: int) -> list[tuple[str, float]]:
    return list(zip(query["nearest"][:count], query["similarity"][:count], strict=True))


def _look(cell: pd.Series, query: pd.Series, similarity: float | None, letters: int) -> tuple[str, list[str]]:
    """Frame and words of a cell: whether it has the query's label, gene, similarity, label."""
    below = wrapped(plain(cell["truth"]), letters, LINES - 1)
    if similarity is None:
        return INK, [f"query {cell['gene']}", *below]
    same = bool(cell["truth"] == query["truth"])
    return (RIGHT if same else WRONG), [f"{MARKS[same]} {cell['gene']}  {similarity:.3f}", *below]


def _caption(run: pd.DataFrame, bar_um: int) -> str:
    """What is shown, and what was left out."""
    first = run.iloc[0]
    return (
        f"Query (black) and its nearest neighbours by cosine similarity (number) among {len(run):,} cells, "
        f"seed {first['seed']}; those of its own {APART[first['apart']]} are left out.\n"
        f"{CONTRAST} of the crop; white: outline of the nucleus.\n"
        f"{MARKS[True]} has the label of the query, {MARKS[False]} another "
        f"({POLICIES[first['label_policy']]}); bars {bar_um} µm."
    )
