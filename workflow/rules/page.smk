"""Page: what a person opens first, and the tables for other tools.

Needs: every result. Makes: tables/*.csv, sources.bib, index.html.
"""

from snakemake.io import apply_wildcards, get_flag_value, is_flagged

from protloc.config.backbones import untrained_of

SCORES = ["metrics", "summary", "comparisons", "enough", "published"]
SCORES = [name for name in SCORES if f"{RESULTS}/{name}.parquet" in results()]
UNTRAINED = untrained_of(REGISTRY)
# What scores rest on, beside the results themselves.
TRACED = [predictions(*trained) for trained in TRAINED]
TRACED += [neighbours(route) for route in CELL_ROUTES]
CAPTIONS = Path(workflow.basedir) / "workflow/report"


def shown():
    """The figures of the study, as their rules declare them for the report, in the order of the rules.

    A figure is its category, its name, the file of its caption and its own files, relative to the page.
    """
    figures = []
    for rule in workflow.rules:
        for output in rule.output:
            if is_flagged(output, "report"):
                declared = get_flag_value(output, "report")
                for match in filter(None, map(output.match, results())):
                    names = match.groupdict()
                    files = [
                        str(apply_wildcards(other, names)) for other in rule.output
                    ]
                    caption = Path(declared.caption.get_path_or_uri(secret_free=True))
                    figures.append(
                        {
                            "category": declared.category,
                            "name": called(declared.labels, names),
                            "caption": caption.name,
                            "files": [
                                name.removeprefix(f"{RESULTS}/") for name in files
                            ],
                        }
                    )
    return figures


def called(labels, names):
    """What a figure is called: what its labels say, the name of a backbone being its title."""
    titles = {
        name: USED[value].title if value in USED else value
        for name, value in names.items()
    }
    return ", ".join(label.format(**titles) for label in labels.values())


def citations():
    """The citation of each thing from outside that the study rests on."""
    used = (
        []
        if SIMULATED
        else [SOURCES[f"opencell_{kind}"].citation for kind in ("images", "labels")]
    )
    used += [
        backbone.citation
        for backbone in USED.values()
        if getattr(backbone, "citation", None)
    ]
    of_segmenters = {
        "stardist": "stardist_2d_versatile_fluo",
        "cellpose": "cellpose_sam",
    }
    if STUDY.cells and STUDY.cells.segmenter in of_segmenters:
        used.append(SOURCES[of_segmenters[STUDY.cells.segmenter]].citation)
    return used


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
        tables=SCORES,
        citations=citations(),
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
        splits=rules.probe.input.splits if STUDY.splits else [],
        claims=f"{workflow.basedir}/config/published.csv",
        captions=sorted({f"{CAPTIONS}/{figure['caption']}" for figure in shown()}),
        others=[*results(), *TRACED],
        tables=rules.tables.output,
    output:
        html=f"{RESULTS}/index.html",
    log:
        f"{RESULTS}/logs/index.log",
    conda:
        f"{ENVS}/analysis.yaml"
    params:
        task=STUDY.probe.heads[0],
        names={
            "titles": {name: backbone.title for name, backbone in USED.items()},
            "controls": [name for name, backbone in USED.items() if backbone.control],
            "untrained": {
                name: control for name, control in UNTRAINED.items() if name in USED
            },
            "strategies": STUDY.embedding.strategies,
        },
        expected=[[task, *route] for task, route in EXPECTED],
        simulated=SIMULATED,
        figures=shown(),
        code=code("index.py"),
    message:
        "Write the page that answers the question"
    script:
        f"{SCRIPTS}/index.py"
