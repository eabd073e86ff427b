"""Evaluate: what the predictions of all runs are worth.

Needs: predictions, neighbours of cells, splits (which say on which proteins k is chosen), which images were
pretrained on. Makes: metrics.parquet (a metric of a run), summary.parquet (over seeds, with intervals),
comparisons.parquet (pairs of routes), enough.parquet (how much labelled data is) and published.parquet (what
others reported, beside it).
"""


rule evaluate:
    input:
        predictions=unique(
            [
                *(predictions(*trained) for trained in TRAINED),
                *(predictions(*trained, "cell") for trained in CELL_TRAINED),
            ]
        ),
        neighbours=unique(neighbours(name) for name, _ in CELL_ROUTES),
        splits=DIVIDED,
        images=IMAGES_SEEN,
    output:
        metrics=f"{RESULTS}/metrics.parquet",
        summary=f"{RESULTS}/summary.parquet",
        comparisons=f"{RESULTS}/comparisons.parquet",
        enough=f"{RESULTS}/enough.parquet",
    log:
        f"{RESULTS}/logs/evaluate.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate.tsv"
    conda:
        f"{ENVS}/analysis.yaml"
    threads: 4
    resources:
        mem_mb=memory(8000),
    params:
        routes={
            "predictions": [
                [predictions(task, route, level), [task, level, *route]]
                for level, trained in (("fov", TRAINED), ("cell", CELL_TRAINED))
                for task, route in trained
            ],
            "neighbours": [
                [neighbours(route[0]), ["cell", *route]] for route in CELL_ROUTES
            ],
        },
        pretrained=[PRETRAINED, UNTRAINED.get(PRETRAINED)],
        draws=STUDY.figures.bootstrap_draws,
        code=code("evaluate.py"),
    message:
        "Score all runs and compare them, with intervals"
    script:
        f"{SCRIPTS}/evaluate.py"


rule published:
    input:
        summary=f"{RESULTS}/summary.parquet",
        comparisons=f"{RESULTS}/comparisons.parquet",
        fovs=f"{RESULTS}/fovs.parquet",
        claims=f"{workflow.basedir}/config/published.csv",
        labels=[] if SIMULATED else STUDY.acquisition.labels,
    output:
        published=f"{RESULTS}/published.parquet",
    log:
        f"{RESULTS}/logs/published.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        opencell=SOURCES["opencell_labels"].sha256,
        code=code("published.py"),
    message:
        "Put the scores beside those that were published"
    script:
        f"{SCRIPTS}/published.py"
