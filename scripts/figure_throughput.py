"""Draw how fast embeddings were made: SVG, PNG, and the numbers as CSV."""

from pathlib import Path

from protloc.figures.speeds import speeds
from protloc.figures.style import marked
from protloc.figures.throughput import draw_throughput
from protloc.records import recorded

# What a step measured is in its record alone: no fact, for it varies from run to run. So does this figure.
with recorded(snakemake) as outputs, marked(outputs.digest):
    steps = zip(snakemake.params.steps, snakemake.input.embeddings, strict=True)
    measured = speeds([(level, backbone, Path(path)) for (level, backbone), path in steps])
    measured.to_csv(outputs["csv"], index=False, float_format="%.6g")
    draw_throughput(
        measured,
        dict(snakemake.params.titles),
        snakemake.params.simulated,
        [outputs["svg"], outputs["png"]],
    )
