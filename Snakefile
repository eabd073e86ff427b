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
include: "workflow/rules/probe_cells.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/neighbours.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/figures_scores.smk"
include: "workflow/rules/figures_cells.smk"
include: "workflow/rules/figures_checks.smk"
include: "workflow/rules/shown.smk"
include: "workflow/rules/page.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/hooks.smk"


# What needs the network, and what draws tables for some seconds: a job of its own would wait longer than it works.
localrules:
    all,
    configuration,
    acquire,
    published,
    overview,
    figure_classes,
    figure_cells_k,
    figure_confusion,
    figure_fractions,
    figure_pretraining,
    figure_shortcuts,
    figure_strategies,
    figure_throughput,
    figure_tuned,
    tables,
    index,
    report,
    audit,


rule all:
    default_target: True
    input:
        results(),
        f"{RESULTS}/index.html",
        f"{RESULTS}/report.html",
        f"{RESULTS}/audit.html",
