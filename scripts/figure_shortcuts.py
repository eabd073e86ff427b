"""Draw what vectors tell that is no localization: SVG, PNG, and the numbers as CSV."""

from protloc.figures.shortcut_rows import shortcut_rows
from protloc.figures.shortcuts import draw_shortcuts
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.variants import read_scores

with recorded(snakemake) as outputs, marked(outputs.digest):
    rows = shortcut_rows(
        read_scores("metrics", snakemake.input.metrics), read_scores("summary", snakemake.input.summary)
    )
    rows.to_csv(outputs["csv"], index=False, float_format="%.6f")
    draw_shortcuts(
        rows,
        dict(snakemake.params.titles),
        list(snakemake.params.controls),
        snakemake.params.simulated,
        [outputs["svg"], outputs["png"]],
    )
