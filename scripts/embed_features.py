"""Turn images into numbers computed from their pixels: an embedding file."""

from protloc.embed.features import embed_features
from protloc.embed.images import CellCut, open_images
from protloc.records import recorded

with recorded(snakemake) as outputs:
    outputs.run |= embed_features(
        open_images(snakemake.input, snakemake.params.how["raw"], CellCut(**snakemake.params.cut)),
        snakemake.params.method,
        outputs["vectors"],
        threads=snakemake.threads,
    )
