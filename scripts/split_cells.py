"""Divide the cells as their fields are divided: one table per split unit and label policy of cells."""

import json

from protloc.hashing import sha256_value
from protloc.records import recorded
from protloc.splits.cells import split_cells
from protloc.tables import read_table, write_table

with recorded(snakemake) as outputs:
    unit, policy = snakemake.wildcards.split_unit, snakemake.wildcards.cell_policy
    split = split_cells(
        read_table("splits", snakemake.input.split),
        read_table("cell_labels", snakemake.input.labels, where={"label_policy": policy}),
        unit=unit,
        policy=policy,
        per_protein=snakemake.params.per_protein,
    )
    content = json.loads(split.sort_values(["seed", "image_id"]).to_json(orient="split", index=False))
    footer = {"split_unit": unit, "label_policy": policy, "split_sha256": sha256_value(content)}
    write_table("splits", split, outputs["split"], footer)
