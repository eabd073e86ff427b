"""Draw macro F1 of single cells against k: SVG, PNG, and the numbers as CSV."""

from protloc.figures.cell_scores import scores_of_cells
from protloc.figures.cells_k import draw_cells_k
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.tables import read_table
from protloc.variants import read_scores

with recorded(snakemake) as outputs, marked(outputs.digest):
    scores = scores_of_cells(read_scores("summary", snakemake.input.summary))
    scores.to_csv(outputs["csv"], index=False, float_format="%.6f")
    draw_cells_k(
        scores,
        read_table("cell_labels", snakemake.input.labels),
        dict(snakemake.params.titles),
        list(snakemake.params.controls),
        snakemake.params.cells_per_protein,
        snakemake.params.simulated,
        [outputs["svg"], outputs["png"]],
    )
