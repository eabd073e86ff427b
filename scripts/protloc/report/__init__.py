"""Pages for readers: the overview of a study, and Snakemake's report around all results."""
