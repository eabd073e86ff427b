"""Neighbours: what the nearest neighbours of a cell say that it is, one job per embedding file of cells.

Needs: embeddings of cells, cell_labels.parquet. Makes: runs/knn/{backbone}/{strategy}/neighbours.parquet, with
every label policy, seed, k and what is kept apart.
"""


rule knn:
    input:
        vectors=f"{RESULTS}/embeddings/cell/{{backbone}}/{{strategy}}.parquet",
        labels=f"{RESULTS}/cell_labels.parquet",
    output:
        neighbours=f"{RESULTS}/runs/knn/{{backbone}}/{{strategy}}/neighbours.parquet",
    log:
        f"{RESULTS}/logs/knn/{{backbone}}/{{strategy}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/knn/{{backbone}}/{{strategy}}.tsv"
    conda:
        f"{ENVS}/torch.yaml"
    resources:
        mem_mb=memory(16000),
    params:
        knn=STUDY.knn.model_dump(),
        standardize=lambda wildcards: wildcards.backbone in FEATURES,  # whose units differ
        code=code("knn.py"),
    message:
        "Find the nearest neighbours of the cells in {wildcards.backbone}, {wildcards.strategy}"
    script:
        f"{SCRIPTS}/knn.py"
