"""Draw macro F1 of few-shot runs: SVG, PNG, and the numbers as CSV."""

from protloc.figures.fractions import draw_fractions, scores_over_shots
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.variants import read_scores

with recorded(snakemake) as outputs, marked(outputs.digest):
    summary = read_scores("summary", snakemake.input.summary, where={"level": "fov"})
    scores = scores_over_shots(summary, snakemake.params.task)
    scores.to_csv(outputs["csv"], index=False, float_format="%.6f")
    draw_fractions(
        scores,
        snakemake.params.task,
        dict(snakemake.params.titles),
        list(snakemake.params.controls),
        snakemake.params.simulated,
        [outputs["svg"], outputs["png"]],
    )
