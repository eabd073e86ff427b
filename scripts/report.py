"""Gather figures, tables and run times into Snakemake's report: report.html."""

from pathlib import Path

from protloc.modules import SCRIPTS
from protloc.records import recorded
from protloc.report.snakemake_report import write_report

with recorded(snakemake) as outputs:
    config, results = Path(snakemake.input.config), list(snakemake.input.results)
    write_report(SCRIPTS.parent / "Snakefile", config, results, outputs["html"])
