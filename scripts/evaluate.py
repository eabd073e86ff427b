"""Score every run, and every setting over its seeds: metrics.parquet and summary.parquet."""

import pandas as pd
from protloc.evaluate.scores import score_route
from protloc.progress import progress
from protloc.records import recorded
from protloc.tables import read_table, write_table

with recorded(snakemake) as outputs:
    paths, routes = list(snakemake.input.predictions), list(snakemake.params.routes)
    scores = [
        score_route(read_table("predictions", path), route, snakemake.params.draws, path)
        for path, route in progress(zip(paths, routes, strict=True), total=len(paths), unit="routes")
    ]
    for name, tables in zip(("metrics", "summary"), zip(*scores, strict=True), strict=True):
        write_table(name, pd.concat(tables, ignore_index=True), outputs[name])
