"""Write the tables for other tools: scores as CSV, the data dictionary, the sources as BibTeX."""

from pathlib import Path

from protloc.config.published import read_published
from protloc.records import recorded
from protloc.report.bibtex import bibtex
from protloc.report.dictionary import dictionary
from protloc.tables import read_table

with recorded(snakemake) as outputs:
    for name in snakemake.params.of["tables"]:
        read_table(name, snakemake.input[name]).to_csv(outputs[f"{name}_csv"], index=False)
    dictionary().to_csv(outputs["dictionary"], index=False)
    claims = read_published(Path(snakemake.input.claims)).values()
    citations = [*snakemake.params.of["citations"], *(claim.source for claim in claims)]
    outputs["sources"].write_text(bibtex(citations), encoding="utf-8")
