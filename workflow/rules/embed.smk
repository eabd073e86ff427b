"""Embed: a vector for every image of a level, one job per backbone with all its variants.

Level fov needs fovs.parquet and the files below data/{study}/raw/; level cell needs cells.parquet and the crop
store. Makes: embeddings/{level}/{backbone}.parquet, which holds every strategy and scale.
"""


rule embed_network:
    input:
        fovs=f"{RESULTS}/fovs.parquet",
        weights=lambda wildcards: weights(wildcards.backbone),
    output:
        vectors=f"{RESULTS}/embeddings/fov/{{backbone}}.parquet",
    log:
        f"{RESULTS}/logs/embed_network/{{backbone}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/fov/{{backbone}}.tsv"
    wildcard_constraints:
        backbone="|".join(NETWORKS) or "(?!)",
    conda:
        f"{ENVS}/torch.yaml"
    resources:
        gpu=1,
        mem_mb=memory(16000),
        runtime=240,
    params:
        backbone=lambda wildcards: row_of(wildcards.backbone),
        variants=lambda wildcards: names_of(wildcards.backbone, "fov"),
        cut=lambda wildcards: cut_of(wildcards.backbone),
        how={"raw": RAW, "batch_size": STUDY.embedding.batch_size},
        code=code("embed_network.py"),
    message:
        "Embed the fields with {wildcards.backbone}"
    script:
        f"{SCRIPTS}/embed_network.py"


rule embed_features:
    input:
        fovs=f"{RESULTS}/fovs.parquet",
    output:
        vectors=f"{RESULTS}/embeddings/fov/{{backbone}}.parquet",
    log:
        f"{RESULTS}/logs/embed_features/{{backbone}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/fov/{{backbone}}.tsv"
    wildcard_constraints:
        backbone="|".join(FEATURES) or "(?!)",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        method=lambda wildcards: USED[wildcards.backbone].method,
        cut=lambda wildcards: cut_of(wildcards.backbone),
        how={"raw": RAW},
        code=code("embed_features.py"),
    message:
        "Embed the fields with {wildcards.backbone}"
    script:
        f"{SCRIPTS}/embed_features.py"


use rule embed_network as embed_network_cells with:
    input:
        **CELL_STORE,
        weights=lambda wildcards: weights(wildcards.backbone),
    output:
        vectors=f"{RESULTS}/embeddings/cell/{{backbone}}.parquet",
    log:
        f"{RESULTS}/logs/embed_network_cells/{{backbone}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/cell/{{backbone}}.tsv"
    params:
        backbone=lambda wildcards: row_of(wildcards.backbone),
        variants=lambda wildcards: names_of(wildcards.backbone, "cell"),
        cut=lambda wildcards: cut_of(wildcards.backbone),
        how={"raw": None, "batch_size": STUDY.embedding.cell_batch_size},
        code=code("embed_network.py"),
    message:
        "Embed the cells with {wildcards.backbone}"


use rule embed_features as embed_features_cells with:
    input:
        **CELL_STORE,
    output:
        vectors=f"{RESULTS}/embeddings/cell/{{backbone}}.parquet",
    log:
        f"{RESULTS}/logs/embed_features_cells/{{backbone}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/cell/{{backbone}}.tsv"
    params:
        method=lambda wildcards: USED[wildcards.backbone].method,
        cut=lambda wildcards: cut_of(wildcards.backbone),
        how={"raw": None},
        code=code("embed_features.py"),
    message:
        "Embed the cells with {wildcards.backbone}"
