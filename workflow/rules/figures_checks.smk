"""Figures that check: what vectors tell beside localization, where they come from, how fast they were made.

Needs: metrics.parquet, summary.parquet, weights, the raw files of a few fields, embeddings and their records.
Makes: attention.parquet and figures/{shortcuts,attention,throughput}.{svg,png,csv}.
"""

# Networks that have embeddings; controls only where there is nothing else.
EMBEDDED = [name for name in NETWORKS if name in {route[0] for route in ROUTES}]
LOOKED_INTO = [name for name in EMBEDDED if not USED[name].control] or EMBEDDED
# A network embeds in all its variants in one step.
STEPS = {("fov", name): embedding(name) for name, _ in ROUTES}
STEPS |= {("cell", name): embedding(name, "cell") for name, _ in CELL_ROUTES}


rule figure_shortcuts:
    input:
        metrics=f"{RESULTS}/metrics.parquet",
        summary=f"{RESULTS}/summary.parquet",
    output:
        svg=report(
            f"{RESULTS}/figures/shortcuts.svg",
            category="Shortcuts",
            labels={"figure": "what vectors tell beside localization"},
            caption="../report/shortcuts.rst",
        ),
        png=f"{RESULTS}/figures/shortcuts.png",
        csv=f"{RESULTS}/figures/shortcuts.csv",
    log:
        f"{RESULTS}/logs/figure_shortcuts.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        titles=TITLES,
        controls=CONTROLS,
        simulated=SIMULATED,
        code=code("figure_shortcuts.py"),
    message:
        "Draw what vectors tell beside localization"
    script:
        f"{SCRIPTS}/figure_shortcuts.py"


rule attention:
    input:
        fovs=f"{RESULTS}/fovs.parquet",
        proteins=f"{RESULTS}/proteins.parquet",
        weights=lambda wildcards: [
            path for path in map(weights, LOOKED_INTO) if path != []
        ],
    output:
        attention=f"{RESULTS}/attention.parquet",
    log:
        f"{RESULTS}/logs/attention.log",
    benchmark:
        f"{RESULTS}/benchmarks/attention.tsv"
    conda:
        f"{ENVS}/torch.yaml"
    resources:
        mem_mb=memory(8000),
    params:
        networks=lambda wildcards: {name: row_of(name) for name in LOOKED_INTO},
        strategies={name: VARIANTS["fov"][name][0].strategy for name in LOOKED_INTO},
        shown=STUDY.figures.queries,
        how={"raw": RAW},
        code=code("attention.py"),
    message:
        "Ask networks where in a few fields their vectors come from"
    script:
        f"{SCRIPTS}/attention.py"


rule figure_attention:
    input:
        attention=f"{RESULTS}/attention.parquet",
        fovs=f"{RESULTS}/fovs.parquet",
    output:
        png=f"{RESULTS}/figures/attention.png",
        preview=report(
            f"{RESULTS}/figures/attention.webp",
            category="Attention",
            labels={"figure": "where in a field vectors come from"},
            caption="../report/attention.rst",
        ),
        csv=f"{RESULTS}/figures/attention.csv",
    log:
        f"{RESULTS}/logs/figure_attention.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        titles={name: USED[name].title for name in LOOKED_INTO},
        how={"raw": RAW},
        simulated=SIMULATED,
        code=code("figure_attention.py"),
    message:
        "Draw where in fields vectors come from"
    script:
        f"{SCRIPTS}/figure_attention.py"


rule figure_throughput:
    input:
        embeddings=list(STEPS.values()),
    output:
        svg=report(
            f"{RESULTS}/figures/throughput.svg",
            category="Speed",
            labels={"figure": "images a second and share of the peak"},
            caption="../report/throughput.rst",
        ),
        png=f"{RESULTS}/figures/throughput.png",
        csv=f"{RESULTS}/figures/throughput.csv",
    log:
        f"{RESULTS}/logs/figure_throughput.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        steps=[list(step) for step in STEPS],
        titles=TITLES,
        simulated=SIMULATED,
        code=code("figure_throughput.py"),
    message:
        "Draw how fast embeddings were made"
    script:
        f"{SCRIPTS}/figure_throughput.py"
