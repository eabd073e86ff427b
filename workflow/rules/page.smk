"""Page: what a person opens first, and the tables for other tools.

Needs: the tables of scores and of what went in; of all other results the names alone. Makes: tables/*.csv,
sources.bib, index.html.
"""

SCORES = ["metrics", "summary", "comparisons", "enough", "published"]
SCORES = [name for name in SCORES if f"{RESULTS}/{name}.parquet" in results()]
# What scores rest on, beside the results themselves.
TRACED = unique(predictions(*trained) for trained in TRAINED)
TRACED += unique(predictions(*trained, "cell") for trained in CELL_TRAINED)
TRACED += unique(neighbours(name) for name, _ in CELL_ROUTES)
CAPTIONS = Path(workflow.basedir) / "workflow/report"


rule tables:
    input:
        **{name: f"{RESULTS}/{name}.parquet" for name in SCORES},
        claims=f"{workflow.basedir}/config/published.csv",
    output:
        **{f"{name}_csv": f"{RESULTS}/tables/{name}.csv" for name in SCORES},
        dictionary=f"{RESULTS}/tables/dictionary.csv",
        sources=f"{RESULTS}/sources.bib",
    log:
        f"{RESULTS}/logs/tables.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        of={"tables": SCORES, "citations": citations()},
        code=code("tables.py"),
    message:
        "Write the tables for other tools"
    script:
        f"{SCRIPTS}/tables.py"


rule index:
    input:
        **{name: f"{RESULTS}/{name}.parquet" for name in SCORES},
        config=f"{RESULTS}/config.yaml",
        fovs=f"{RESULTS}/fovs.parquet",
        proteins=f"{RESULTS}/proteins.parquet",
        splits=DIVIDED,
        images=IMAGES_SEEN,
        claims=f"{workflow.basedir}/config/published.csv",
        registry=f"{workflow.basedir}/config/backbones.yaml",
        captions=sorted({f"{CAPTIONS}/{figure['caption']}" for figure in shown()}),
    output:
        html=f"{RESULTS}/index.html",
    log:
        f"{RESULTS}/logs/index.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        heads=STUDY.probe.heads,
        names={
            "titles": TITLES,
            "controls": CONTROLS,
            "untrained": UNTRAINED,
            "strategies": unique(
                variant
                for name, variant in [*ROUTES, *CELL_ROUTES]
                if name in NETWORKS
            ),
            "same": {name: strategies_of(STUDY, USED[name]) for name in NETWORKS},
            "impossible": {name: impossible(STUDY, USED[name]) for name in NETWORKS},
        },
        shown={
            "expected": [[task, *route] for task, route in EXPECTED],
            "figures": shown(),
            "files": [
                name.removeprefix(f"{RESULTS}/")
                for name in [
                    *results(),
                    *TRACED,
                    *DIVIDED,
                    *CELL_DIVIDED,
                    *rules.tables.output,
                ]
            ],
        },
        simulated=SIMULATED,
        code=code("index.py"),
    message:
        "Write the page that answers the question"
    script:
        f"{SCRIPTS}/index.py"
