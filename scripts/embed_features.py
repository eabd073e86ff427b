"""Turn images into numbers computed from their pixels: one embedding file."""

from protloc.embed.features import embed_features
from protloc.embed.images import open_images
from protloc.records import recorded

with recorded(snakemake) as outputs:
    outputs.run |= embed_features(
        open_images(snakemake.input, snakemake.params.how["raw"], snakemake.params.mask_others),
        snakemake.params.method,
        outputs["vectors"],
        threads=snakemake.threads,
    )
