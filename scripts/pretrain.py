"""Train a network on the study's own images without labels: its weights and the curve of its training."""

from pathlib import Path

from protloc.pretrain.dino import pretrain
from protloc.records import recorded
from protloc.tables import read_table, write_table

with recorded(snakemake) as outputs:
    curve = pretrain(
        read_table("fovs", snakemake.input.fovs),
        read_table("proteins", snakemake.input.proteins),
        Path(snakemake.params.how["raw"]),
        dict(snakemake.params.backbone),
        dict(snakemake.params.pretraining),
        outputs["weights"],
        Path(snakemake.params.how["checkpoints"]),
        outputs.run,
    )
    write_table("curve", curve, outputs["curve"])
