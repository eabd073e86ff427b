"""Draw macro F1 against the labelled proteins, of fractions or few-shot: SVG, PNG, and the numbers as CSV."""

from protloc.figures.fractions import DESIGNS, draw_fractions, scores_over
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.variants import read_scores

with recorded(snakemake) as outputs, marked(outputs.digest):
    summary = read_scores("summary", snakemake.input.summary, where={"level": "fov"})
    design = DESIGNS[snakemake.params.shown["design"]]
    scores = scores_over(design, summary, snakemake.params.shown["task"])
    scores.to_csv(outputs["csv"], index=False, float_format="%.6f")
    draw_fractions(
        scores,
        design,
        snakemake.params.shown["task"],
        dict(snakemake.params.titles),
        list(snakemake.params.controls),
        snakemake.params.simulated,
        [outputs["svg"], outputs["png"]],
    )
