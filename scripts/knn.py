"""Let the nearest neighbours of every cell vote, for every variant of a backbone: neighbours.parquet."""

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
from protloc.knn.padding import with_padding
from protloc.knn.runs import knn_runs
from protloc.records import recorded
from protloc.standard_scores import standardized
from protloc.tables import ordered, read_table, write_tables
from protloc.variants import parse
from protloc.vectors import read_vectors
from threadpoolctl import threadpool_limits

# One thread in each library: blocks of queries run side by side.
with recorded(snakemake) as outputs, threadpool_limits(1):
    tables = (read_table(name, snakemake.input[name]) for name in ("cell_labels", "cells"))
    labels, path = with_padding(*tables, snakemake.params.crop_um), outputs["neighbours"]

    def rows() -> Iterator[pa.Table]:
        """Yield the rows of each variant in turn: memory does not grow with their number."""
        for variant in sorted(map(parse, snakemake.params.variants)):
            names, matrix = read_vectors(snakemake.input.vectors, variant)
            matrix = standardized(matrix) if snakemake.params.standardize else matrix
            runs = knn_runs(names, matrix, labels, threads=snakemake.threads, **snakemake.params.knn)
            table = pd.concat(runs, ignore_index=True).assign(**variant.columns)
            yield ordered("neighbours", table, path)

    write_tables("neighbours", rows(), path)
