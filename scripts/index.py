"""Write the page that a person opens first: index.html."""

from pathlib import Path

import yaml
from protloc.config.load import load_backbones
from protloc.config.published import read_published
from protloc.config.settings import Study
from protloc.fields import typical_side_um
from protloc.records import recorded
from protloc.report.index.page import Data, Figure, index_page
from protloc.report.index.pretraining import transductive
from protloc.report.index.study import Names, Tables, without_cell_probes
from protloc.study_variants import token_warnings
from protloc.tables import empty_table, read_table
from protloc.variants import read_scores

with recorded(snakemake) as outputs:
    given = snakemake.input
    shown = snakemake.params.shown
    study = yaml.safe_load(Path(given.config).read_text(encoding="utf-8"))
    scores = {
        name: (read_table if name == "published" else read_scores)(name, given[name])
        if name in dict(given.items())
        else empty_table(name)
        for name in ("metrics", "summary", "comparisons", "enough", "published")
    }
    captions = {Path(path).name: Path(path).read_text(encoding="utf-8") for path in given.captions}
    images = (
        read_table("pretraining_images", given.images) if given.images else empty_table("pretraining_images")
    )
    splits = {Path(path).stem: read_table("splits", path) for path in given.splits}
    fovs, registry = read_table("fovs", given.fovs), load_backbones(Path(given.registry))
    far = token_warnings(Study.model_validate(study), registry, typical_side_um(fovs))
    page = index_page(
        study,
        Data(
            fovs=fovs,
            proteins=read_table("proteins", given.proteins),
            splits=splits,
            images=images,
            classes=study["classes"],
            simulated=snakemake.params.simulated,
        ),
        Tables(
            **{
                name: without_cell_probes(scores[name])
                for name in ("metrics", "summary", "comparisons", "enough")
            },
            heads=list(snakemake.params.heads),
        ),
        Names(**snakemake.params.names, transductive=transductive(images, splits), far=far),
        shown["expected"],
        read_published(Path(given.claims)),
        scores["published"],
        [Figure(**figure | {"caption": captions[figure["caption"]]}) for figure in shown["figures"]],
        shown["files"],
    )
    outputs["html"].write_text(page, encoding="utf-8")
