"""Label the cells: by what their protein is, and by what a person said of them."""

from pathlib import Path

from protloc.labelling.table import label_cells
from protloc.records import recorded
from protloc.tables import read_table, write_table

with recorded(snakemake) as outputs:
    given = [Path(path) for path in snakemake.input.answers]
    labels = label_cells(
        read_table("cells", snakemake.input.cells),
        read_table("proteins", snakemake.input.proteins),
        given[0] if given else None,
        **dict(snakemake.params.labelling),
    )
    write_table("cell_labels", labels, outputs["labels"])
