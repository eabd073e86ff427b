"""Draw query fields and their nearest neighbours under each backbone: a PNG."""

from pathlib import Path

from protloc.figures.neighbours import draw_neighbours
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.tables import read_table
from protloc.variants import parse
from protloc.vectors import read_vectors

with recorded(snakemake) as outputs, marked(outputs.digest):
    draw_neighbours(
        [read_vectors(path, parse(name)) for path, name in snakemake.params.names.values()],
        list(snakemake.params.names),
        read_table("fovs", snakemake.input.fovs),
        read_table("proteins", snakemake.input.proteins),
        Path(snakemake.params.how["raw"]),
        **snakemake.params.shown,
        simulated=snakemake.params.simulated,
        outputs=[outputs["png"], outputs["preview"]],
    )
