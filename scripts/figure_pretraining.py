"""Draw how a pretraining went: SVG, PNG, and the numbers as CSV."""

from protloc.figures.pretraining import COLUMNS, draw_pretraining
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.tables import read_table

with recorded(snakemake) as outputs, marked(outputs.digest):
    curve = read_table("curve", snakemake.input.curve)
    curve[COLUMNS].to_csv(outputs["csv"], index=False, float_format="%.6f")
    draw_pretraining(
        curve,
        snakemake.params.title,
        snakemake.params.prototypes,
        snakemake.params.simulated,
        [outputs["svg"], outputs["png"]],
    )
