"""Turn images into vectors with one network under each channel strategy: an embedding file each."""

from protloc.embed.images import open_images
from protloc.embed.network import embed_network
from protloc.records import recorded

with recorded(snakemake) as outputs:
    outputs.run |= embed_network(
        open_images(snakemake.input, snakemake.params.how["raw"], snakemake.params.mask_others),
        dict(snakemake.params.backbone),
        outputs,
        batch_size=snakemake.params.how["batch_size"],
        threads=snakemake.threads,
    )
