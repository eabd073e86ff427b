"""Find the cells of all fields, a crop around each: cells.parquet, segmented.parquet and the crop store."""

from pathlib import Path

from protloc.cells.study import find_cells
from protloc.records import recorded
from protloc.tables import read_table, write_table

with recorded(snakemake) as outputs:
    cells, segmented = find_cells(
        read_table("fovs", snakemake.input.fovs),
        Path(snakemake.params.how["raw"]),
        dict(snakemake.params.cells),
        outputs["pixels"],
        outputs["masks"],
        store_um=snakemake.params.store_um,
        workers=snakemake.threads,
    )
    write_table("cells", cells, outputs["cells"])
    write_table("segmented", segmented, outputs["segmented"])
