"""Query fields and their nearest neighbours under each backbone: what looks alike to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from protloc.choose import spread_over_classes
from protloc.errors import InputError
from protloc.figures.blocks import LINES, Block, all_names, draw_blocks
from protloc.figures.nearest import nearest
from protloc.figures.style import INK, MARKS, RIGHT, WRONG, plain
from protloc.figures.thumbnail import CONTRAST, bar_length, draw_thumbnail, wrapped


def draw_neighbours(
    embeddings: Sequence[tuple[list[str], np.ndarray]],
    names: Sequence[str],
    fovs: pd.DataFrame,
    proteins: pd.DataFrame,
    raw: Path,
    *,
    queries: int,
    neighbours: int,
    simulated: bool,
    outputs: Sequence[Path],
) -> None:
    """Write the sheet: a block per backbone, a row per query, its neighbours from near to far.

    `embeddings` are ids and vectors (images, dimension), `names` their titles; `fovs` and `proteins` are the
    tables, `raw` is the folder below which the fields lie. Raises InputError if the embeddings have fewer
    than two fields in common.
    """
    common = set.intersection(*(set(ids) for ids, _ in embeddings))
    fields = fovs[fovs["fov_id"].isin(common)].set_index("fov_id", drop=False).sort_index()
    if len(fields) < 2:
        raise InputError(f"embeddings: {len(fields)} fields in common, two are needed; add images")
    labels = dict(zip(proteins["gene"], proteins["grade_3"].map(list), strict=True))
    main = fields["gene"].map(lambda gene: (labels.get(gene) or ["none"])[0])
    asked = spread_over_classes(fields.assign(label=main).reset_index(drop=True), queries)
    genes = fields["gene"].to_dict()
    blocks = [
        Block(name, {query: nearest(query, *embedding, genes, neighbours) for query in asked["fov_id"]})
        for name, embedding in zip(names, embeddings, strict=True)
    ]
    bar_um = bar_length(fields.loc[all_names(blocks)])

    def show(axis: Axes, query: str, name: str, similarity: float | None, letters: int) -> None:
        look = _look(fields.loc[name], fields.loc[query], similarity, labels, letters)
        draw_thumbnail(axis, fields.loc[name], raw, bar_um=bar_um, **look)

    draw_blocks(blocks, show, neighbours, _caption(fields, bar_um), simulated, outputs)


def _look(
    field: pd.Series,
    query: pd.Series,
    similarity: float | None,
    labels: Mapping[str, Sequence[str]],
    letters: int,
) -> dict[str, object]:
    """Frame and words of a field: whether it shares a label with the query, gene, similarity, labels."""
    own, asked = labels.get(field["gene"], []), labels.get(query["gene"], [])
    below = wrapped(", ".join(map(plain, own)) or "no grade-3 label", letters, LINES - 1)
    if similarity is None:
        return {"frame": INK, "words": [f"query {field['gene']}", *below]}
    shared = not set(own).isdisjoint(asked)
    return {
        "frame": RIGHT if shared else WRONG,
        "words": [f"{MARKS[shared]} {field['gene']}  {similarity:.3f}", *below],
    }


def _caption(fields: pd.DataFrame, bar_um: int) -> str:
    """What is shown, and what was left out."""
    several = fields["gene"].nunique() > 1
    own = "fields of the query's own protein are left out" if several else "all are of one protein"
    return (
        f"Query (black) and its nearest neighbours by cosine similarity (number) among {len(fields)} fields; "
        f"{own}.\n{CONTRAST}.\n"
        f"{MARKS[True]} shares a grade-3 label with the query, {MARKS[False]} shares none; bars {bar_um} µm."
    )
