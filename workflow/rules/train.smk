"""Train: splits as tables, and the frozen probe, one job per head and backbone with every run on all of its variants.

Needs: fovs.parquet, proteins.parquet, embeddings. Makes: splits/{split_unit}-{label_policy}.parquet and
runs/fov/{head}/{backbone}/predictions.parquet, a run being a split, fraction and seed. Finished runs are
kept beside it, so that another seed or fraction costs its own runs alone.
"""


rule split:
    input:
        fovs=f"{RESULTS}/fovs.parquet",
        proteins=f"{RESULTS}/proteins.parquet",
    output:
        split=f"{RESULTS}/splits/{{split_unit}}-{{label_policy}}.parquet",
    log:
        f"{RESULTS}/logs/split/{{split_unit}}-{{label_policy}}.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        splits=SPLITS.model_dump(exclude={"units", "label_policies"}),
        code=code("split.py"),
    message:
        "Split by {wildcards.split_unit}, {wildcards.label_policy} labels"
    script:
        f"{SCRIPTS}/split.py"


rule probe:
    input:
        vectors=f"{RESULTS}/embeddings/fov/{{backbone}}.parquet",
        proteins=f"{RESULTS}/proteins.parquet",
        splits=expand(
            f"{RESULTS}/splits/{{unit}}-{{policy}}.parquet",
            unit=SPLITS.units,
            policy=SPLITS.label_policies,
        ),
    output:
        predictions=f"{RESULTS}/runs/fov/{{head}}/{{backbone}}/predictions.parquet",
    log:
        f"{RESULTS}/logs/probe/{{head}}/{{backbone}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{head}}/{{backbone}}.tsv"
    conda:
        f"{ENVS}/torch.yaml"
    params:
        probe=STUDY.probe.model_dump(exclude={"heads"}),
        variants=lambda wildcards: names_of(wildcards.backbone, "fov"),
        designs={"fractions": SPLITS.fractions, "shots": SPLITS.shots},
        how=lambda wildcards, output: {"kept": beside(output.predictions, ".kept")},
        code=code("probe.py"),
    message:
        "Train {wildcards.head} heads on {wildcards.backbone}"
    script:
        f"{SCRIPTS}/probe.py"
