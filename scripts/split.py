"""Divide the fields for training, choosing and testing: one table per split unit and label policy."""

import json

from protloc.hashing import sha256_value
from protloc.policies import annotations, labels_by_gene
from protloc.records import recorded
from protloc.splits.table import make_split
from protloc.tables import read_table, write_table

with recorded(snakemake) as outputs:
    settings = dict(snakemake.params.splits)
    lower_grades = settings.pop("lower_grades")
    proteins = read_table("proteins", snakemake.input.proteins)
    unit, policy = snakemake.wildcards.split_unit, snakemake.wildcards.label_policy
    labels = labels_by_gene(proteins, policy, settings.pop("min_grade"), settings.pop("min_proteins"))
    others = annotations(proteins, labels, lower_grades)
    fovs = read_table("fovs", snakemake.input.fovs)
    split = make_split(fovs, labels, unit=unit, annotations=others, **settings)
    content = json.loads(split.sort_values(["seed", "image_id"]).to_json(orient="split", index=False))
    footer = {"split_unit": unit, "label_policy": policy, "split_sha256": sha256_value(content)}
    write_table("splits", split, outputs["split"], footer)
