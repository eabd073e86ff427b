"""Train a network on the study's own images without labels: weights, curve, and which images it saw."""

from pathlib import Path

from protloc.config.settings import Untested
from protloc.pretrain.dino import pretrain
from protloc.pretrain.roles import under_test
from protloc.records import recorded
from protloc.tables import read_table, write_table

with recorded(snakemake) as outputs:
    settings = dict(snakemake.params.pretraining)
    tested = frozenset()
    if settings["exclude"]:
        split = read_table("splits", snakemake.input.split)
        tested = under_test(split, Untested.model_validate(dict(settings["exclude"])))
    curve, images = pretrain(
        read_table("fovs", snakemake.input.fovs),
        read_table("proteins", snakemake.input.proteins),
        tested,
        Path(snakemake.params.how["raw"]),
        dict(snakemake.params.backbone),
        settings,
        outputs["weights"],
        Path(snakemake.params.how["checkpoints"]),
        outputs.run,
    )
    write_table("curve", curve, outputs["curve"])
    write_table("pretraining_images", images, outputs["images"])
