"""Probe cells: the heads of the frozen probe on cells, which are divided as their fields are.

Needs: splits of the fields, cell_labels.parquet, embeddings of cells. Makes:
splits/cell/{split_unit}-{cell_policy}.parquet and runs/cell/{head}/{backbone}/predictions.parquet.
"""


rule split_cells:
    input:
        split=f"{RESULTS}/splits/{{split_unit}}-{FIELD_POLICY}.parquet",
        labels=f"{RESULTS}/cell_labels.parquet",
    output:
        split=f"{RESULTS}/splits/cell/{{split_unit}}-{{cell_policy}}.parquet",
    log:
        f"{RESULTS}/logs/split_cells/{{split_unit}}-{{cell_policy}}.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        per_protein=CELLS.probe_cells_per_protein,
        code=code("split_cells.py"),
    message:
        "Split cells by {wildcards.split_unit}, {wildcards.cell_policy} labels"
    script:
        f"{SCRIPTS}/split_cells.py"


use rule probe as probe_cells with:
    input:
        vectors=f"{RESULTS}/embeddings/cell/{{backbone}}.parquet",
        proteins=f"{RESULTS}/proteins.parquet",
        splits=expand(
            f"{RESULTS}/splits/cell/{{unit}}-{{policy}}.parquet",
            unit=SPLITS.units,
            policy=CELL_POLICIES,
        ),
    output:
        predictions=f"{RESULTS}/runs/cell/{{head}}/{{backbone}}/predictions.parquet",
    log:
        f"{RESULTS}/logs/probe_cells/{{head}}/{{backbone}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cell/{{head}}/{{backbone}}.tsv"
    params:
        probe=STUDY.probe.model_dump(exclude={"heads"}),
        variants=lambda wildcards: names_of(wildcards.backbone, "cell"),
        designs={"fractions": SPLITS.fractions, "shots": SPLITS.shots},
        how=lambda wildcards, output: {"kept": beside(output.predictions, ".kept")},
        code=code("probe.py"),
    message:
        "Train {wildcards.head} heads on cells in {wildcards.backbone}"
