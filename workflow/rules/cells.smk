"""Cells: nuclei found in every good field, and a crop cut around each into one store.

Needs: fovs.parquet and the files below data/{study}/raw/. Makes: cells.parquet (a row per cell),
segmented.parquet (a row per field), crops/pixels.npy and crops/masks.npy (a row per cell).
"""


rule cells:
    input:
        fovs=f"{RESULTS}/fovs.parquet",
    output:
        cells=f"{RESULTS}/cells.parquet",
        segmented=f"{RESULTS}/segmented.parquet",
        pixels=f"{RESULTS}/crops/pixels.npy",
        masks=f"{RESULTS}/crops/masks.npy",
    log:
        f"{RESULTS}/logs/cells.log",
    benchmark:
        f"{RESULTS}/benchmarks/cells.tsv"
    conda:
        f"{ENVS}/analysis.yaml"
    threads: 16
    resources:
        mem_mb=memory(16000),
    params:
        cells=CELLS.model_dump(
            include={"segmenter", "crop_um", "reach_um", "max_padding", "exclude"}
        ),
        store_um=stored_crop_um(map(USED.get, CELLS.backbones or USED), CELLS),
        how={"raw": RAW},
        code=code("cells.py"),
    message:
        "Find the cells of all fields"
    script:
        f"{SCRIPTS}/cells.py"
