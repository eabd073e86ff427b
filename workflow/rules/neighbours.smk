"""Neighbours: what the nearest neighbours of a cell say that it is, one job per backbone.

Needs: embeddings of cells, cells.parquet, cell_labels.parquet. Makes: runs/cell/knn/{backbone}/neighbours.parquet, with
every label policy, seed, k and what is kept apart.
"""


rule knn:
    input:
        vectors=f"{RESULTS}/embeddings/cell/{{backbone}}.parquet",
        cells=CELL_STORE["cells"],
        cell_labels=f"{RESULTS}/cell_labels.parquet",
    output:
        neighbours=f"{RESULTS}/runs/cell/knn/{{backbone}}/neighbours.parquet",
    log:
        f"{RESULTS}/logs/knn/{{backbone}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/knn/{{backbone}}.tsv"
    conda:
        f"{ENVS}/torch.yaml"
    resources:
        mem_mb=memory(16000),
    params:
        variants=lambda wildcards: names_of(wildcards.backbone, "cell"),
        knn=STUDY.knn.model_dump(),
        crop_um=lambda wildcards: shown_crop_um(USED[wildcards.backbone], CELLS),
        standardize=lambda wildcards: wildcards.backbone in FEATURES,  # whose units differ
        code=code("knn.py"),
    message:
        "Find the nearest neighbours of the cells in {wildcards.backbone}"
    script:
        f"{SCRIPTS}/knn.py"
