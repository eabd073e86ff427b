"""Let the nearest neighbours of every cell vote, in all runs on one embedding file: neighbours.parquet."""

import pandas as pd
from protloc.knn.padding import with_padding
from protloc.knn.runs import knn_runs
from protloc.records import recorded
from protloc.tables import read_table, write_table
from protloc.vectors import read_vectors
from threadpoolctl import threadpool_limits

# One thread in each library: blocks of queries run side by side.
with recorded(snakemake) as outputs, threadpool_limits(1):
    cells, labels = (read_table(name, snakemake.input[name]) for name in ("cells", "cell_labels"))
    rows = knn_runs(
        *read_vectors(snakemake.input.vectors),
        with_padding(labels, cells, snakemake.params.crop_um),
        threads=snakemake.threads,
        **snakemake.params.knn,
    )
    write_table("neighbours", pd.concat(rows, ignore_index=True), outputs["neighbours"])
