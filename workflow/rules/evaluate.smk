"""Evaluate: what the predictions of all runs are worth.

Needs: predictions, neighbours of cells. Makes: metrics.parquet (a metric of a run) and summary.parquet (over seeds, with intervals).
"""


rule evaluate:
    input:
        predictions=[predictions(*trained) for trained in TRAINED],
        neighbours=[neighbours(route) for route in CELL_ROUTES],
    output:
        metrics=f"{RESULTS}/metrics.parquet",
        summary=f"{RESULTS}/summary.parquet",
    log:
        f"{RESULTS}/logs/evaluate.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate.tsv"
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        routes={
            "predictions": [[task, "fov", *route] for task, route in TRAINED],
            "neighbours": [["cell", *route] for route in CELL_ROUTES],
        },
        draws=STUDY.figures.bootstrap_draws,
        code=code("evaluate.py"),
    message:
        "Score all runs, with intervals"
    script:
        f"{SCRIPTS}/evaluate.py"
