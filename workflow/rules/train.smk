"""Train: splits as tables, and the frozen probe, one job per embedding file with every split, fraction, seed.

Needs: fovs.parquet, proteins.parquet, embeddings. Makes: splits/{split_unit}-{label_policy}.parquet and
runs/probe/{backbone}/{strategy}/predictions.parquet.
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
        vectors=f"{RESULTS}/embeddings/fov/{{backbone}}/{{strategy}}.parquet",
        splits=expand(
            f"{RESULTS}/splits/{{unit}}-{{policy}}.parquet",
            unit=SPLITS.units,
            policy=SPLITS.label_policies,
        ),
    output:
        predictions=f"{RESULTS}/runs/probe/{{backbone}}/{{strategy}}/predictions.parquet",
    log:
        f"{RESULTS}/logs/probe/{{backbone}}/{{strategy}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/probe/{{backbone}}/{{strategy}}.tsv"
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        probe=STUDY.probe.model_dump() | {"fractions": SPLITS.fractions},
        code=code("probe.py"),
    message:
        "Probe {wildcards.backbone}, {wildcards.strategy}: all splits, fractions and seeds"
    script:
        f"{SCRIPTS}/probe.py"
