"""Ask networks where in a few fields of view their vectors come from: attention.parquet."""

from pathlib import Path

from protloc.attention.table import attention_table
from protloc.records import recorded
from protloc.tables import read_table, write_table

with recorded(snakemake) as outputs:
    table = attention_table(
        read_table("fovs", snakemake.input.fovs),
        read_table("proteins", snakemake.input.proteins),
        Path(snakemake.params.how["raw"]),
        dict(snakemake.params.networks),
        dict(snakemake.params.strategies),
        count=snakemake.params.shown,
        threads=snakemake.threads,
    )
    write_table("attention", table, outputs["attention"])
