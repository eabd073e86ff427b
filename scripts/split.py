"""Divide the fields for training, choosing and testing: one table per split unit and label policy."""

import json

from protloc.hashing import sha256_value
from protloc.policies import labels_by_gene
from protloc.records import recorded
from protloc.splits.table import make_split
from protloc.tables import read_table, write_table

with recorded(snakemake) as outputs:
    settings = dict(snakemake.params.splits)
    unit, policy = snakemake.wildcards.split_unit, snakemake.wildcards.label_policy
    labels = labels_by_gene(
        read_table("proteins", snakemake.input.proteins),
        policy,
        settings.pop("min_grade"),
        settings.pop("min_proteins"),
    )
    split = make_split(read_table("fovs", snakemake.input.fovs), labels, unit=unit, **settings)
    content = json.loads(split.sort_values(["seed", "fov_id"]).to_json(orient="split", index=False))
    footer = {"split_unit": unit, "label_policy": policy, "split_sha256": sha256_value(content)}
    write_table("splits", split, outputs["split"], footer)
