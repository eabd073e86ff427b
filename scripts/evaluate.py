"""Score every run, every setting over its seeds, and pairs of them: metrics, summary, comparisons, enough."""

from protloc.evaluate.enough import enough
from protloc.evaluate.paired import compare
from protloc.evaluate.study import SCORES, score_study
from protloc.records import recorded
from protloc.tables import write_table
from protloc.variants import parse

with recorded(snakemake) as outputs:
    jobs = [
        (table, path, [*route[:-1], *parse(route[-1])])
        for table in SCORES
        for path, route in snakemake.params.routes.get(table, [])
    ]
    metrics, summary, sides = score_study(jobs, snakemake.params.draws, workers=snakemake.threads)
    write_table("metrics", metrics, outputs["metrics"])
    write_table("summary", summary, outputs["summary"])
    write_table("comparisons", compare(sides), outputs["comparisons"])
    write_table("enough", enough(summary), outputs["enough"])
