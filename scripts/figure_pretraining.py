"""Draw how a pretraining went: pretraining.svg and pretraining.png."""

from protloc.figures.pretraining import draw_pretraining
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.tables import read_table

with recorded(snakemake) as outputs, marked(outputs.digest):
    draw_pretraining(
        read_table("curve", snakemake.input.curve),
        snakemake.params.title,
        snakemake.params.prototypes,
        snakemake.params.simulated,
        [outputs["svg"], outputs["png"]],
    )
