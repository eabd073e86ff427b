"""Let the nearest neighbours of every cell vote, in all runs on one embedding file: neighbours.parquet."""

import pandas as pd
from protloc.knn.runs import knn_runs
from protloc.records import recorded
from protloc.standard_scores import standardized
from protloc.tables import read_table, write_table
from protloc.vectors import read_vectors
from threadpoolctl import threadpool_limits

# One thread in each library: blocks of queries run side by side.
with recorded(snakemake) as outputs, threadpool_limits(1):
    names, vectors = read_vectors(snakemake.input.vectors)
    rows = knn_runs(
        names,
        standardized(vectors) if snakemake.params.standardize else vectors,
        read_table("cell_labels", snakemake.input.labels),
        threads=snakemake.threads,
        **snakemake.params.knn,
    )
    write_table("neighbours", pd.concat(rows, ignore_index=True), outputs["neighbours"])
