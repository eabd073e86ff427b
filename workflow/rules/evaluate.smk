"""Evaluate: what the predictions of all runs are worth.

Needs: predictions. Makes: metrics.parquet (a metric of a run) and summary.parquet (over seeds, with intervals).
"""


rule evaluate:
    input:
        predictions=[predictions(route) for route in ROUTES],
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
        routes={"predictions": [["probe", "fov", *route] for route in ROUTES]},
        draws=STUDY.figures.bootstrap_draws,
        code=code("evaluate.py"),
    message:
        "Score all runs, with intervals"
    script:
        f"{SCRIPTS}/evaluate.py"
