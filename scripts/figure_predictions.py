"""Draw a contact sheet of test fields, hits and misses of one backbone's probe: a PNG."""

from pathlib import Path

from protloc.figures.predictions import draw_predictions
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.tables import read_table
from protloc.variants import parse

with recorded(snakemake) as outputs, marked(outputs.digest):
    draw_predictions(
        read_table("predictions", snakemake.input.predictions, where=parse(snakemake.params.variant).columns),
        read_table("fovs", snakemake.input.fovs),
        Path(snakemake.params.how["raw"]),
        title=snakemake.params.title,
        count=snakemake.params.shown,
        simulated=snakemake.params.simulated,
        outputs=[outputs["png"], outputs["preview"]],
    )
