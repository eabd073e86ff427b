"""Draw macro F1 of each backbone and channel strategy: SVG, PNG, and the numbers as CSV."""

from protloc.figures.asked import Asked
from protloc.figures.full_scores import full_scores
from protloc.figures.strategies import draw_strategies
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.variants import read_scores

with recorded(snakemake) as outputs, marked(outputs.digest):
    asked = Asked(**snakemake.params.asked)
    summary = read_scores("summary", snakemake.input.summary, where={"level": "fov"})
    scores = full_scores(summary, snakemake.params.task, asked.controls)
    scores.to_csv(outputs["csv"], index=False, float_format="%.6f")
    draw_strategies(
        scores,
        asked,
        dict(snakemake.params.untrained),
        snakemake.params.simulated,
        [outputs["svg"], outputs["png"]],
    )
