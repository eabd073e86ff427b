"""Score every run, and every setting over its seeds: metrics.parquet and summary.parquet."""

import pandas as pd
from protloc.evaluate.neighbours import score_neighbours
from protloc.evaluate.scores import score_route
from protloc.progress import progress
from protloc.records import recorded
from protloc.tables import read_table, write_table

SCORES = {"predictions": score_route, "neighbours": score_neighbours}

with recorded(snakemake) as outputs:
    work = [
        (table, path, route)
        for table in SCORES
        for path, route in zip(
            snakemake.input.get(table, []), snakemake.params.routes.get(table, []), strict=True
        )
    ]
    scores = [
        SCORES[table](read_table(table, path), route, snakemake.params.draws, path)
        for table, path, route in progress(work, total=len(work), unit="routes")
    ]
    for name, tables in zip(("metrics", "summary"), zip(*scores, strict=True), strict=True):
        write_table(name, pd.concat(tables, ignore_index=True), outputs[name])
