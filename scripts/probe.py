"""Train and apply one kind of head for every split, fraction and seed: predictions.parquet."""

from pathlib import Path

from protloc.hashing import sha256_path
from protloc.kept import KeptRuns
from protloc.probe.runs import probe
from protloc.records import recorded
from protloc.runs import plan
from protloc.tables import read_table, write_tables
from protloc.threads import one_thread
from protloc.vectors import read_vectors

with recorded(snakemake) as outputs:
    one_thread()  # a sum over threads depends on their number
    settings = dict(snakemake.params.probe)
    head, vectors = snakemake.wildcards.head, Path(snakemake.input.vectors)
    read = [sha256_path(vectors), sha256_path(Path(snakemake.input.proteins))]
    depends_on = [read, head, settings, snakemake.params.code]
    kept = KeptRuns("predictions", Path(snakemake.params.how["kept"]), depends_on)
    splits = {
        tuple(Path(path).stem.split("-")): read_table("splits", path) for path in snakemake.input.splits
    }
    runs = plan(splits, snakemake.params.fractions, snakemake.params.shots)
    proteins = read_table("proteins", snakemake.input.proteins)
    rows = probe(*read_vectors(vectors), runs, kept, proteins, head, settings)
    write_tables("predictions", rows, outputs["predictions"])
