"""Train and apply the frozen probe for every split, fraction and seed: predictions.parquet."""

from pathlib import Path

import pandas as pd
from protloc.probe.runs import probe_split
from protloc.progress import progress
from protloc.records import recorded
from protloc.tables import read_table, write_table
from protloc.vectors import read_vectors
from threadpoolctl import threadpool_limits

# One thread: a sum over threads depends on their number, and small matrices gain nothing from more.
with recorded(snakemake) as outputs, threadpool_limits(1):
    vectors = dict(zip(*read_vectors(snakemake.input.vectors), strict=True))
    settings = dict(snakemake.params.probe)
    runs = [(read_table("splits", path), *Path(path).stem.split("-")) for path in snakemake.input.splits]
    total = sum(split["seed"].nunique() for split, *_ in runs) * len(settings["fractions"])
    predictions = (
        rows
        for split, unit, policy in runs
        for rows in probe_split(vectors, split, unit=unit, policy=policy, **settings)
    )
    table = pd.concat(progress(predictions, total=total, unit="runs"), ignore_index=True)
    write_table("predictions", table, outputs["predictions"])
