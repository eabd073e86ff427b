"""Turn images into vectors with one network in each of its variants: an embedding file."""

from protloc.config.backbones import Network
from protloc.embed.images import CellCut, open_images
from protloc.embed.network import embed_network
from protloc.records import recorded
from protloc.variants import parse

with recorded(snakemake) as outputs:
    params = snakemake.params
    outputs.run |= embed_network(
        open_images(snakemake.input, params.how["raw"], CellCut(**params.cut)),
        Network.model_validate(dict(params.backbone)),
        [parse(name) for name in params.variants],
        outputs["vectors"],
        batch_size=params.how["batch_size"],
        threads=snakemake.threads,
    )
