"""Figures of single cells: nuclei as they were found, neighbours, their scores, maps.

Needs: cells.parquet, segmented.parquet, cell_labels.parquet, the crop store, embeddings of cells, the runs of
nearest neighbours, summary.parquet, and the raw files of the fields that are shown. Makes:
figures/cells-*.{svg,png}, and beside each chart its numbers as CSV.
"""

# A map takes much room: one for each backbone, controls only where there is nothing else.
LEARNED = [route for route in CELL_ROUTES if not USED[route[0]].control]
MAPPED = [*{route[0]: route for route in reversed(LEARNED or CELL_ROUTES)}.values()]
MAPPED.reverse()


rule figure_cells_overlays:
    input:
        **CELL_STORE,
        fovs=f"{RESULTS}/fovs.parquet",
        proteins=f"{RESULTS}/proteins.parquet",
        segmented=f"{RESULTS}/segmented.parquet",
    output:
        png=f"{RESULTS}/figures/cells-overlays.png",
        preview=report(
            f"{RESULTS}/figures/cells-overlays.webp",
            category="Single cells",
            labels={"figure": "nuclei that were found"},
            caption="../report/cells-overlays.rst",
        ),
    log:
        f"{RESULTS}/logs/figure_cells_overlays.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        how={"raw": RAW},
        shown=STUDY.figures.sheet_fields,
        simulated=SIMULATED,
        code=code("figure_cells_overlays.py"),
    message:
        "Draw the nuclei that were found"
    script:
        f"{SCRIPTS}/figure_cells_overlays.py"


rule figure_cells_neighbours:
    input:
        **CELL_STORE,
        neighbours=unique(neighbours(name) for name, _ in pictured(CELL_ROUTES)),
    output:
        png=f"{RESULTS}/figures/cells-neighbours.png",
        preview=report(
            f"{RESULTS}/figures/cells-neighbours.webp",
            category="Single cells",
            labels={"figure": "nearest neighbours by backbone"},
            caption="../report/cells-neighbours.rst",
        ),
    log:
        f"{RESULTS}/logs/figure_cells_neighbours.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        titles={
            title(route): [neighbours(route[0]), route[1]]
            for route in pictured(CELL_ROUTES)
        },
        crop_um=CELLS.crop_um,
        shown=STUDY.figures.model_dump(include={"queries", "neighbours"}),
        simulated=SIMULATED,
        code=code("figure_cells_neighbours.py"),
    message:
        "Draw the nearest neighbours of cells"
    script:
        f"{SCRIPTS}/figure_cells_neighbours.py"


rule figure_cells_k:
    input:
        summary=f"{RESULTS}/summary.parquet",
        labels=f"{RESULTS}/cell_labels.parquet",
    output:
        svg=report(
            f"{RESULTS}/figures/cells-k.svg",
            category="Single cells",
            labels={"figure": "macro F1 over k"},
            caption="../report/cells-k.rst",
        ),
        png=f"{RESULTS}/figures/cells-k.png",
        csv=f"{RESULTS}/figures/cells-k.csv",
    log:
        f"{RESULTS}/logs/figure_cells_k.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        titles=TITLES,
        controls=CONTROLS,
        cells_per_protein=STUDY.knn.cells_per_protein,
        simulated=SIMULATED,
        code=code("figure_cells_k.py"),
    message:
        "Draw macro F1 of cells over k"
    script:
        f"{SCRIPTS}/figure_cells_k.py"


rule figure_cells_umap:
    input:
        cells=f"{RESULTS}/cells.parquet",
        labels=f"{RESULTS}/cell_labels.parquet",
        embeddings=[embedding(name, "cell") for name, _ in MAPPED],
    output:
        svg=report(
            f"{RESULTS}/figures/cells-umap.svg",
            category="Single cells",
            labels={"figure": "UMAP by class and by protein"},
            caption="../report/cells-umap.rst",
        ),
        png=f"{RESULTS}/figures/cells-umap.png",
        csv=f"{RESULTS}/figures/cells-umap.csv",
    log:
        f"{RESULTS}/logs/figure_cells_umap.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/cells-umap.tsv"
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        routes=[[*route, title(route)] for route in MAPPED],
        shown=STUDY.figures.umap_cells,
        simulated=SIMULATED,
        code=code("figure_cells_umap.py"),
    message:
        "Draw UMAPs of cells"
    script:
        f"{SCRIPTS}/figure_cells_umap.py"
