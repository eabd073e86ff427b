"""Draw macro F1 against the fraction of the labelled data: fractions.svg and fractions.png."""

from protloc.figures.fractions import draw_fractions
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.tables import read_table

with recorded(snakemake) as outputs, marked(outputs.digest):
    draw_fractions(
        read_table("summary", snakemake.input.summary),
        snakemake.params.task,
        dict(snakemake.params.titles),
        list(snakemake.params.controls),
        snakemake.params.simulated,
        [outputs["svg"], outputs["png"]],
    )
