"""Score every run, every setting over its seeds, and pairs of them: metrics, summary, comparisons, enough."""

from pathlib import Path

from protloc.choices import validation_proteins
from protloc.evaluate.enough import enough
from protloc.evaluate.heads import report_behind
from protloc.evaluate.paired import compare
from protloc.evaluate.study import SCORES, score_study
from protloc.records import recorded
from protloc.tables import read_table, write_table

with recorded(snakemake) as outputs:
    jobs = [
        (table, path, route)
        for table in SCORES
        for path, route in zip(
            snakemake.input.get(table, []), snakemake.params.routes.get(table, []), strict=True
        )
    ]
    splits = {
        tuple(Path(path).stem.split("-")): read_table("splits", path) for path in snakemake.input.splits
    }
    held = validation_proteins(splits)
    metrics, summary, sides = score_study(jobs, snakemake.params.draws, snakemake.threads, held)
    report_behind(summary)
    write_table("metrics", metrics, outputs["metrics"])
    write_table("summary", summary, outputs["summary"])
    write_table("comparisons", compare(sides), outputs["comparisons"])
    write_table("enough", enough(summary), outputs["enough"])
