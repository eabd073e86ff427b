"""Draw UMAPs of cells, a row per backbone: SVG, PNG, and the places as CSV."""

import pandas as pd
from protloc.figures.cells_umap import draw_cells_umap
from protloc.figures.mapped_cells import add_places, cells_to_map
from protloc.figures.style import marked
from protloc.progress import progress
from protloc.records import recorded
from protloc.tables import read_table
from protloc.variants import parse
from protloc.vectors import read_vectors
from threadpoolctl import threadpool_limits

# One job for all backbones: UMAP takes longer to compile than to run.
with recorded(snakemake) as outputs, marked(outputs.digest), threadpool_limits(1):
    titles = {(backbone, variant): title for backbone, variant, title in snakemake.params.routes}
    cells = cells_to_map(
        read_table("cells", snakemake.input.cells),
        read_table("cell_labels", snakemake.input.labels),
        snakemake.params.shown,
    )
    files = zip(titles, snakemake.input.embeddings, strict=True)
    maps = [
        add_places(cells, *read_vectors(path, parse(variant)), path).assign(
            backbone=backbone, strategy=variant
        )
        for (backbone, variant), path in progress(files, total=len(titles), unit="backbones")
    ]
    maps = pd.concat(maps, ignore_index=True)
    maps = maps[["backbone", "strategy", *cells.columns, "x", "y"]]
    maps.to_csv(outputs["csv"], index=False, float_format="%.4f")
    draw_cells_umap(maps, titles, snakemake.params.simulated, [outputs["svg"], outputs["png"]])
