"""Labels: what each cell is, by its protein and, where a file of labels is given, by a person.

Needs: cells.parquet, proteins.parquet, the CSV of cells.labels. Makes: cell_labels.parquet.
"""


rule cell_labels:
    input:
        cells=f"{RESULTS}/cells.parquet",
        proteins=f"{RESULTS}/proteins.parquet",
        answers=[CELLS.labels] if CELLS.labels else [],
    output:
        labels=f"{RESULTS}/cell_labels.parquet",
    log:
        f"{RESULTS}/logs/cell_labels.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        labelling={"classes": STUDY.classes, "min_proteins": SPLITS.min_proteins},
        code=code("cell_labels.py"),
    message:
        "Label the cells"
    script:
        f"{SCRIPTS}/cell_labels.py"
