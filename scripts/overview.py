"""Say what went in, what was left out and what came out: overview.html."""

from pathlib import Path

from protloc.records import recorded
from protloc.report.overview import divide, overview_page
from protloc.tables import read_table
from protloc.variants import read_scores

with recorded(snakemake) as outputs:
    splits = {Path(path).stem: read_table("splits", path) for path in snakemake.input.splits}
    divisions = [divide(split, *name.split("-"), snakemake.params.classes) for name, split in splits.items()]
    summary = snakemake.input.get("summary")
    page = overview_page(
        read_table("fovs", snakemake.input.fovs),
        divisions,
        read_scores("summary", summary) if summary else None,
        snakemake.params.task,
        dict(snakemake.params.titles),
        snakemake.params.simulated,
    )
    outputs["html"].write_text(page, encoding="utf-8")
