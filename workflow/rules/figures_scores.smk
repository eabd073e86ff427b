"""Figures of scores: backbones and strategies, what fine-tuning gains, classes, what is taken for what.

Needs: summary.parquet, metrics.parquet, comparisons.parquet, splits, and for one figure the predictions of the best
backbone. Makes: figures/{strategies,tuned,classes,confusion}.{svg,png}, and beside each its numbers as CSV.
"""

HEAD = STUDY.probe.heads[0]
SETTINGS = [*product(SPLITS.units, SPLITS.label_policies)]
ASKED = {
    "titles": TITLES,
    "strategies": {
        name: [
            route[1] for task, route in EXPECTED if task == HEAD and route[0] == name
        ]
        for name in USED
    },
    "controls": CONTROLS,
}
PROBED = [route for task, route in TRAINED if task == HEAD]


rule figure_strategies:
    input:
        summary=f"{RESULTS}/summary.parquet",
    output:
        svg=report(
            f"{RESULTS}/figures/strategies.svg",
            category="Macro F1",
            labels={"figure": "macro F1 by backbone and channel strategy"},
            caption="../report/strategies.rst",
        ),
        png=f"{RESULTS}/figures/strategies.png",
        csv=f"{RESULTS}/figures/strategies.csv",
    log:
        f"{RESULTS}/logs/figure_strategies.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        asked=ASKED,
        task=HEAD,
        untrained=UNTRAINED,
        simulated=SIMULATED,
        code=code("figure_strategies.py"),
    message:
        "Draw macro F1 by backbone and strategy"
    script:
        f"{SCRIPTS}/figure_strategies.py"


rule figure_tuned:
    input:
        summary=f"{RESULTS}/summary.parquet",
        comparisons=f"{RESULTS}/comparisons.parquet",
    output:
        svg=report(
            f"{RESULTS}/figures/tuned.svg",
            category="Macro F1",
            labels={"figure": "macro F1 frozen and fine-tuned"},
            caption="../report/tuned.rst",
        ),
        png=f"{RESULTS}/figures/tuned.png",
        csv=f"{RESULTS}/figures/tuned.csv",
    log:
        f"{RESULTS}/logs/figure_tuned.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        asked=ASKED,
        routes=FINETUNED,
        simulated=SIMULATED,
        code=code("figure_tuned.py"),
    message:
        "Draw macro F1 frozen and fine-tuned"
    script:
        f"{SCRIPTS}/figure_tuned.py"


rule figure_classes:
    input:
        metrics=f"{RESULTS}/metrics.parquet",
        splits=DIVIDED,
    output:
        svg=report(
            f"{RESULTS}/figures/classes.svg",
            category="Classes",
            labels={"figure": "F1 of each class"},
            caption="../report/classes.rst",
        ),
        png=f"{RESULTS}/figures/classes.png",
        csv=f"{RESULTS}/figures/classes.csv",
    log:
        f"{RESULTS}/logs/figure_classes.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        asked=ASKED,
        task=HEAD,
        settings=SETTINGS,
        simulated=SIMULATED,
        code=code("figure_classes.py"),
    message:
        "Draw the F1 of each class"
    script:
        f"{SCRIPTS}/figure_classes.py"


rule figure_confusion:
    input:
        summary=f"{RESULTS}/summary.parquet",
        predictions=unique(predictions(HEAD, route) for route in PROBED),
    output:
        svg=report(
            f"{RESULTS}/figures/confusion.svg",
            category="Classes",
            labels={"figure": "what the best backbone takes each class for"},
            caption="../report/confusion.rst",
        ),
        png=f"{RESULTS}/figures/confusion.png",
        csv=f"{RESULTS}/figures/confusion.csv",
    log:
        f"{RESULTS}/logs/figure_confusion.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        asked=ASKED,
        task=HEAD,
        files={name: predictions(HEAD, (name, None)) for name, _ in PROBED},
        simulated=SIMULATED,
        code=code("figure_confusion.py"),
    message:
        "Draw what the best backbone takes each class for"
    script:
        f"{SCRIPTS}/figure_confusion.py"
