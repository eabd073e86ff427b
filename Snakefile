"""How well do self-supervised backbones transfer to protein localization in these images?

Raw images become fields of view, embeddings, splits, probes, metrics, figures and a report. The study is one
YAML file: config/config.yaml (a demo on simulated images) unless --configfile names another.
"""

from snakemake.utils import min_version

min_version("9.0")

if (
    "study" not in config
):  # --config changes settings of the demo; a file that names a study replaces it

    configfile: workflow.source_path("config/config.yaml")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/acquire.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/cells.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/neighbours.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/figures_cells.smk"


localrules:
    all,
    configuration,
    acquire,
    report,


rule all:
    default_target: True
    input:
        results(),
        f"{RESULTS}/report.html",


onstart:
    if not workflow.local_exec:
        partitions = getattr(workflow.executor_settings, "partition_config", None)
        print(jobs_block(workflow.dag.needrun_jobs(), partitions))
        understand_states()
    try:
        RUN.update(start_run(Path(RESULTS), slurm_name(workflow)))
    except InputError as error:
        raise WorkflowError(str(error)) from None


onsuccess:
    end_run(Path(RESULTS), RUN)
    print(
        f"Done. Open {RESULTS}/report.html; the numbers are in {RESULTS}/*.parquet, explained in README.md."
    )


onerror:
    end_run(Path(RESULTS), RUN)
    print(
        f"Not finished. The lines marked ERROR say why; each rule's log is below {RESULTS}/logs/."
    )
