"""Figures of scores: backbones and strategies, what fine-tuning gains, classes, what is taken for what.

Needs: summary.parquet, metrics.parquet, comparisons.parquet, splits, and for one figure the predictions of the best
backbone. Makes: figures/{strategies,tuned,classes,confusion}.{svg,png}, and beside each its numbers as CSV.
"""

# What makes two networks the same but for their weights; of several untrained ones the first counts.
BUILT = {name: (USED[name].architecture, USED[name].options) for name in NETWORKS}
UNTRAINED = {
    name: control
    for name, control in product(NETWORKS, reversed(NETWORKS))
    if USED[control].control
    and not USED[name].control
    and BUILT[name] == BUILT[control]
}
SETTINGS = [*product(SPLITS.units, SPLITS.label_policies)]
ASKED = {
    "titles": {name: backbone.title for name, backbone in USED.items()},
    "strategies": {
        name: [strategy for backbone, strategy in ROUTES if backbone == name]
        for name in USED
    },
    "controls": [name for name in USED if USED[name].control],
}


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
        task=STUDY.probe.heads[0],
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
        task=STUDY.probe.heads[0],
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
        splits=[
            f"{RESULTS}/splits/{unit}-{policy}.parquet" for unit, policy in SETTINGS
        ],
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
        task=STUDY.probe.heads[0],
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
        predictions=[predictions(STUDY.probe.heads[0], route) for route in ROUTES],
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
        task=STUDY.probe.heads[0],
        routes=ROUTES,
        simulated=SIMULATED,
        code=code("figure_confusion.py"),
    message:
        "Draw what the best backbone takes each class for"
    script:
        f"{SCRIPTS}/figure_confusion.py"
