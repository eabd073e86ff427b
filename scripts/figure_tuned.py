"""Draw macro F1 before and after fine-tuning, with paired differences: SVG, PNG, and the numbers as CSV."""

from protloc.figures.asked import Asked
from protloc.figures.style import marked
from protloc.figures.tuned import draw_tuned, tuned_pairs
from protloc.records import recorded
from protloc.variants import read_scores

with recorded(snakemake) as outputs, marked(outputs.digest):
    of_fields = {"level": "fov"}
    pairs = tuned_pairs(
        read_scores("summary", snakemake.input.summary, where=of_fields),
        read_scores("comparisons", snakemake.input.comparisons, where=of_fields),
    )
    pairs.to_csv(outputs["csv"], index=False, float_format="%.6f")
    draw_tuned(
        pairs,
        Asked(**snakemake.params.asked),
        [tuple(route) for route in snakemake.params.routes],
        snakemake.params.simulated,
        [outputs["svg"], outputs["png"]],
    )
