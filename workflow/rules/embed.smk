"""Embed: a vector for every good field of view, one job per backbone with all its channel strategies.

Needs: fovs.parquet and the files below data/{study}/raw/. Makes: embeddings/fov/{backbone}/{strategy}.parquet.
"""


rule embed_network:
    input:
        fovs=f"{RESULTS}/fovs.parquet",
        weights=lambda wildcards: weights(wildcards.backbone),
    output:
        **{
            strategy: f"{RESULTS}/embeddings/fov/{{backbone}}/{strategy}.parquet"
            for strategy in STUDY.embedding.strategies
        },
    log:
        f"{RESULTS}/logs/embed/{{backbone}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/{{backbone}}.tsv"
    wildcard_constraints:
        backbone="|".join(NETWORKS) or "(?!)",
    conda:
        f"{ENVS}/torch.yaml"
    params:
        backbone=lambda wildcards: USED[wildcards.backbone].model_dump(),
        batch_size=STUDY.embedding.batch_size,
        raw=RAW,
        code=code("embed_network.py"),
    message:
        "Embed the fields with {wildcards.backbone}"
    script:
        f"{SCRIPTS}/embed_network.py"


rule embed_features:
    input:
        fovs=f"{RESULTS}/fovs.parquet",
    output:
        vectors=f"{RESULTS}/embeddings/fov/{{backbone}}/none.parquet",
    log:
        f"{RESULTS}/logs/embed/{{backbone}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/{{backbone}}.tsv"
    wildcard_constraints:
        backbone="|".join(FEATURES) or "(?!)",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        method=lambda wildcards: USED[wildcards.backbone].method,
        raw=RAW,
        code=code("embed_features.py"),
    message:
        "Embed the fields with {wildcards.backbone}"
    script:
        f"{SCRIPTS}/embed_features.py"
