"""Turn fields of view into numbers computed from their pixels: one embedding file."""

from pathlib import Path

from protloc.embed.features import embed_features
from protloc.records import recorded
from protloc.tables import read_table

with recorded(snakemake) as outputs:
    outputs.run |= embed_features(
        read_table("fovs", snakemake.input.fovs),
        Path(snakemake.params.raw),
        snakemake.params.method,
        outputs["vectors"],
        threads=snakemake.threads,
    )
