"""Draw fields of view with the outlines of the nuclei that were found: a PNG."""

from pathlib import Path

from protloc.crops import open_crops
from protloc.figures.cells_overlays import draw_cells_overlays
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.tables import read_table

with recorded(snakemake) as outputs, marked(outputs.digest):
    tables = ("fovs", "proteins", "segmented", "cells")
    draw_cells_overlays(
        *(read_table(name, snakemake.input[name]) for name in tables),
        open_crops(snakemake.input.pixels, snakemake.input.masks),
        Path(snakemake.params.how["raw"]),
        count=snakemake.params.shown,
        simulated=snakemake.params.simulated,
        outputs=[outputs["png"], outputs["preview"]],
    )
