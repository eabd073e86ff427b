"""Write the whole configuration, defaults included, beside the results: config.yaml."""

from protloc.config.load import dump_study
from protloc.config.settings import Study
from protloc.records import recorded

with recorded(snakemake) as outputs:
    study = Study.model_validate(dict(snakemake.params.study))
    outputs["config"].write_text(dump_study(study), encoding="utf-8")
