"""Draw query cells and their nearest neighbours under each backbone: a PNG."""

from protloc.cell_view import crops_of_width
from protloc.crops import open_crops
from protloc.figures.cells_neighbours import draw_cells_neighbours
from protloc.figures.style import marked
from protloc.records import recorded
from protloc.tables import read_table
from protloc.variants import parse

with recorded(snakemake) as outputs, marked(outputs.digest):
    cells = read_table("cells", snakemake.input.cells)
    crops = open_crops(snakemake.input.pixels, snakemake.input.masks)
    draw_cells_neighbours(
        [
            read_table("neighbours", path, where=parse(name).columns)
            for path, name in snakemake.params.titles.values()
        ],
        list(snakemake.params.titles),
        cells,
        crops_of_width(crops, cells, snakemake.params.crop_um),
        **snakemake.params.shown,
        simulated=snakemake.params.simulated,
        outputs=[outputs["png"], outputs["preview"]],
    )
