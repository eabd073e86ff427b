"""Figures and the report: what people look at.

Needs: the tables and the raw files of the fields that are shown. Makes: figures/*.{svg,png}, report.html.
"""


rule figure_fractions:
    input:
        summary=f"{RESULTS}/summary.parquet",
    output:
        svg=report(
            f"{RESULTS}/figures/fractions.svg",
            category="Macro F1",
            labels={"figure": "macro F1 over fractions of the labelled data"},
            caption="../report/fractions.rst",
        ),
        png=f"{RESULTS}/figures/fractions.png",
        csv=f"{RESULTS}/figures/fractions.csv",
    log:
        f"{RESULTS}/logs/figure_fractions.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        shown={"design": "fractions", "task": STUDY.probe.heads[0]},
        titles=TITLES,
        controls=CONTROLS,
        simulated=SIMULATED,
        code=code("figure_fractions.py"),
    message:
        "Draw macro F1 over fractions"
    script:
        f"{SCRIPTS}/figure_fractions.py"


use rule figure_fractions as figure_shots with:
    output:
        svg=report(
            f"{RESULTS}/figures/shots.svg",
            category="Macro F1",
            labels={"figure": "macro F1 few-shot"},
            caption="../report/shots.rst",
        ),
        png=f"{RESULTS}/figures/shots.png",
        csv=f"{RESULTS}/figures/shots.csv",
    log:
        f"{RESULTS}/logs/figure_shots.log",
    params:
        shown={"design": "shots", "task": STUDY.probe.heads[0]},
        titles=TITLES,
        controls=CONTROLS,
        simulated=SIMULATED,
        code=code("figure_fractions.py"),
    message:
        "Draw macro F1 of few-shot runs"


rule figure_predictions:
    input:
        predictions=lambda wildcards: next(
            predictions(*trained)
            for trained in TRAINED
            if trained[1][0] == wildcards.backbone
        ),
        fovs=f"{RESULTS}/fovs.parquet",
    output:
        png=f"{RESULTS}/figures/predictions-{{backbone}}.png",
        preview=report(
            f"{RESULTS}/figures/predictions-{{backbone}}.webp",
            category="Hits and misses",
            labels={"backbone": "{backbone}"},
            caption="../report/predictions.rst",
        ),
    log:
        f"{RESULTS}/logs/figure_predictions/{{backbone}}.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        how={"raw": RAW},
        variant=lambda wildcards: next(
            route[1] for _, route in TRAINED if route[0] == wildcards.backbone
        ),
        title=lambda wildcards: USED[wildcards.backbone].title,
        shown=STUDY.figures.sheet_fields,
        simulated=SIMULATED,
        code=code("figure_predictions.py"),
    message:
        "Draw hits and misses of {wildcards.backbone}"
    script:
        f"{SCRIPTS}/figure_predictions.py"


rule figure_neighbours:
    input:
        embeddings=unique(embedding(name) for name, _ in pictured(SHOWN)),
        fovs=f"{RESULTS}/fovs.parquet",
        proteins=f"{RESULTS}/proteins.parquet",
    output:
        png=f"{RESULTS}/figures/neighbours.png",
        preview=report(
            f"{RESULTS}/figures/neighbours.webp",
            category="Nearest neighbours",
            labels={"figure": "nearest neighbours by backbone"},
            caption="../report/neighbours.rst",
        ),
    log:
        f"{RESULTS}/logs/figure_neighbours.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        names={
            title(route): [embedding(route[0]), route[1]] for route in pictured(SHOWN)
        },
        how={"raw": RAW},
        shown=STUDY.figures.model_dump(include={"queries", "neighbours"}),
        simulated=SIMULATED,
        code=code("figure_neighbours.py"),
    message:
        "Draw nearest neighbours"
    script:
        f"{SCRIPTS}/figure_neighbours.py"


rule overview:
    input:
        fovs=f"{RESULTS}/fovs.parquet",
        summary=f"{RESULTS}/summary.parquet" if TRAINED else [],
        splits=DIVIDED,
    output:
        html=report(
            f"{RESULTS}/figures/overview.html",
            category="Overview",
            labels={"table": "data, classes and scores"},
            caption="../report/overview.rst",
        ),
    log:
        f"{RESULTS}/logs/overview.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        task=STUDY.probe.heads[0],
        titles=TITLES,
        classes=STUDY.classes,
        simulated=SIMULATED,
        code=code("overview.py"),
    message:
        "Write the overview"
    script:
        f"{SCRIPTS}/overview.py"


rule report:
    input:
        config=f"{RESULTS}/config.yaml",
        results=results(),
    output:
        html=f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        code=code("report.py"),
    message:
        "Gather everything into the report"
    script:
        f"{SCRIPTS}/report.py"
