"""Fetch the fields of view and check the label table: fovs.parquet, proteins.parquet."""

from pathlib import Path

from protloc.acquire.fields import acquire_fields, report_bad
from protloc.acquire.labels import match, read_labels
from protloc.acquire.store import list_images, open_store, staged_images
from protloc.listing import check_count
from protloc.records import recorded
from protloc.tables import write_table

with recorded(snakemake) as outputs:
    source = dict(snakemake.params.acquisition)
    labels = read_labels(Path(source["labels"]), source["classes"])
    store = open_store(source["mirror"], source["region"], source["endpoint"])
    staged = staged_images(Path(snakemake.params.how["listing"]), source["mirror"], source["endpoint"])
    entries = staged or list_images(store, source["mirror"])
    check_count(entries, source["expected_fields"], source["mirror"])
    fields = acquire_fields(store, entries, Path(snakemake.params.files["below"]), source["pixel_size_um"])
    report_bad(fields, snakemake.params.max_bad_share)
    proteins, fields = match(labels, fields)
    write_table("fovs", fields, outputs["fovs"])
    write_table("proteins", proteins, outputs["proteins"])
