"""Score every run, every setting over its seeds, and pairs of them: metrics, summary, comparisons, enough."""

from pathlib import Path

import pandas as pd
from protloc.choices import reported, validation_proteins
from protloc.evaluate.enough import enough
from protloc.evaluate.heads import report_behind
from protloc.evaluate.paired import compare
from protloc.evaluate.pretraining_overlap import score_overlap
from protloc.evaluate.study import SCORES, score_study
from protloc.records import recorded
from protloc.tables import read_table, write_table
from protloc.variants import parse

with recorded(snakemake) as outputs:
    jobs = [
        (table, path, [*route[:-1], *parse(route[-1])])
        for table in SCORES
        for path, route in snakemake.params.routes.get(table, [])
    ]
    splits = {
        tuple(Path(path).stem.split("-")): read_table("splits", path) for path in snakemake.input.splits
    }
    held = validation_proteins(splits)
    metrics, summary, sides = score_study(jobs, snakemake.params.draws, snakemake.threads, held)
    report_behind(reported(summary))
    if snakemake.input.images:
        images = read_table("pretraining_images", snakemake.input.images)
        metrics = pd.concat([metrics, score_overlap(jobs, images, snakemake.params.pretrained)])
    write_table("metrics", metrics, outputs["metrics"])
    write_table("summary", summary, outputs["summary"])
    write_table("comparisons", compare(sides), outputs["comparisons"])
    write_table("enough", enough(summary), outputs["enough"])
