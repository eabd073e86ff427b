"""What the page shows: figures as their rules declare them for the report, and whom to cite.

Comes after all rules of figures. Makes nothing by itself.
"""

from snakemake.io import apply_wildcards, get_flag_value, is_flagged

from protloc.stage.plan import SEGMENTERS


def shown():
    """The figures of the study, as their rules declare them for the report, in the order of the rules.

    A figure is its category, its name, the file of its caption and its own files, relative to the page.
    """
    figures = []
    for made_by in workflow.rules:
        for output in made_by.output:
            if is_flagged(output, "report"):
                declared = get_flag_value(output, "report")
                for match in filter(None, map(output.match, results())):
                    names = match.groupdict()
                    files = [
                        str(apply_wildcards(other, names)) for other in made_by.output
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
    if STUDY.cells and STUDY.cells.segmenter in SEGMENTERS:
        used.append(SOURCES[SEGMENTERS[STUDY.cells.segmenter]].citation)
    return used
