"""Train one kind of head for every variant of a backbone, split, fraction and seed: predictions.parquet."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from protloc.hashing import sha256_path
from protloc.kept import KeptRuns
from protloc.probe.runs import probe
from protloc.records import recorded
from protloc.runs import plan
from protloc.tables import read_table, write_tables
from protloc.threads import one_thread
from protloc.variants import parse
from protloc.vectors import read_vectors, sha256_vectors

with recorded(snakemake) as outputs:
    one_thread()  # a sum over threads depends on their number
    settings, params = dict(snakemake.params.probe), snakemake.params
    designs = params.designs["fractions"], params.designs["shots"]
    head, vectors = snakemake.wildcards.head, Path(snakemake.input.vectors)
    depends_on = [sha256_path(Path(snakemake.input.proteins)), head, settings, params.code]
    kept = KeptRuns("predictions", Path(params.how["kept"]), depends_on)
    splits = {
        tuple(Path(path).stem.split("-")): read_table("splits", path) for path in snakemake.input.splits
    }
    proteins = read_table("proteins", snakemake.input.proteins)

    def rows() -> Iterator[pa.Table]:
        """Yield the rows of each run of each variant in turn."""
        for variant in sorted(map(parse, params.variants)):
            names, matrix = read_vectors(vectors, variant)
            runs = plan(splits, *designs, variant, sha256_vectors(names, matrix))
            yield from probe(names, matrix, runs, kept, proteins, head, settings)

    write_tables("predictions", rows(), outputs["predictions"])
