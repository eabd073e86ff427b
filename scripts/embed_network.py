"""Turn fields of view into vectors with one network under each channel strategy: an embedding file each."""

from pathlib import Path

from protloc.embed.network import embed_network
from protloc.records import recorded
from protloc.tables import read_table

with recorded(snakemake) as outputs:
    outputs.run |= embed_network(
        read_table("fovs", snakemake.input.fovs),
        Path(snakemake.params.raw),
        dict(snakemake.params.backbone),
        outputs,
        batch_size=snakemake.params.batch_size,
        threads=snakemake.threads,
    )
