"""What all rules share: the checked configuration, the path grammar, the names of the results.

Needs: the configuration and config/backbones.yaml. Makes nothing by itself.
"""

import re
import sys
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from protloc.config.backbones import (
    CellView,
    Network,
    shown_crop_um,
    stored_crop_um,
    untrained_of,
)
from protloc.config.load import load_backbones, load_study
from protloc.config.sources import read_sources
from protloc.config.settings import Acquisition, Cells, Finetune, Splits
from protloc.errors import InputError
from protloc.listing import NAME as LISTING
from protloc.models.loading.files import FOLDER as FETCHED_WEIGHTS
from protloc.modules import module_hashes as code
from protloc.opencell import ANNOTATIONS
from protloc.study_variants import (
    finetuned_variants,
    impossible,
    strategies_of,
    variants_of,
)

try:
    REGISTRY = load_backbones(Path(workflow.basedir) / "config/backbones.yaml")
    STUDY = load_study(config, REGISTRY)
    SOURCES = read_sources()
except InputError as error:
    raise WorkflowError(str(error)) from None

if workflow.resource_settings.nodes is not None:
    # Jobs go to other machines, whose cores are not those of `cores: all` in profiles/default.
    workflow.global_resources["_cores"] = None

RESULTS = f"results/{STUDY.study}"
DATA = f"data/{STUDY.study}"
RAW = f"{DATA}/raw"
MIRROR = f"{DATA}/mirror"
SIMULATED = STUDY.simulation is not None
SPLITS = (
    STUDY.splits or Splits()
)  # the rules are there without splits, but nothing asks for them
CELLS = STUDY.cells or Cells()  # as above
CELL_STORE = {
    "cells": f"{RESULTS}/cells.parquet",
    "pixels": f"{RESULTS}/crops/pixels.npy",
    "masks": f"{RESULTS}/crops/masks.npy",
}
EPOCH_0 = "finetune_epoch_0"  # networks that are to be fine-tuned, before they are
ENVS = f"{workflow.basedir}/envs"
SCRIPTS = f"{workflow.basedir}/scripts"


def embedding(name, level="fov"):
    """The embedding file of a backbone, all of its variants."""
    return f"{RESULTS}/embeddings/{level}/{name}.parquet"


def predictions(task, route, level="fov"):
    """The predictions of a task on a route: of probes all variants of a backbone, of fine-tuning one."""
    if task in ("finetune", EPOCH_0):
        name = "predictions" if task == "finetune" else "epoch_0"
        return f"{RESULTS}/runs/fov/finetune/{route[0]}/{route[1]}/{name}.parquet"
    return f"{RESULTS}/runs/{level}/{task}/{route[0]}/predictions.parquet"


def neighbours(name):
    """The nearest neighbours of all cells on a backbone, all of its variants."""
    return f"{RESULTS}/runs/cell/knn/{name}/neighbours.parquet"


def made(name):
    """Whether a result counts: in a study that is shown as far as it got, if it is there."""
    return not STUDY.partial or Path(name).is_file()


USED = {name: REGISTRY[name] for name in STUDY.embedding.backbones}
PRETRAINED = STUDY.pretraining and STUDY.pretraining.backbone
OWN_WEIGHTS = f"{RESULTS}/weights/{PRETRAINED}.safetensors"
OWN_IMAGES = f"{RESULTS}/weights/{PRETRAINED}.images.parquet"
if PRETRAINED in USED:
    USED[PRETRAINED] = USED[PRETRAINED].model_copy(update={"weights": OWN_WEIGHTS})
NETWORKS = [name for name, backbone in USED.items() if isinstance(backbone, Network)]
FEATURES = [name for name in USED if name not in NETWORKS]
VARIANTS = {
    level: {name: variants_of(STUDY, name, row, level) for name, row in USED.items()}
    for level in ("fov", "cell")
}
ROUTES = [
    (name, str(variant))
    for name in [*NETWORKS, *FEATURES]
    for variant in VARIANTS["fov"][name]
]
# A constant vector has no neighbours.
SHOWN = [
    route for route in ROUTES if getattr(USED[route[0]], "method", None) != "constant"
]
FINETUNED = [
    (name, str(variant))
    for name in NETWORKS
    for variant in finetuned_variants(STUDY, name, USED[name])
]
TRAINED = [
    *product(STUDY.probe.heads, ROUTES),
    *product(["finetune", EPOCH_0], FINETUNED),
]
TRAINED = TRAINED if STUDY.splits else []
CELL_ROUTES = [
    (name, str(variant))
    for name in [*NETWORKS, *FEATURES]
    for variant in VARIANTS["cell"][name]
    if STUDY.cells and name in (STUDY.cells.backbones or USED)
    if getattr(USED[name], "method", None) != "constant"
]
# The cells that are probed are labelled by their proteins, or by hand, and divided as fields of one label are.
CELL_TRAINED = [*product(STUDY.probe.heads, CELL_ROUTES)]
CELL_TRAINED = CELL_TRAINED if STUDY.splits and CELLS.probe else []
CELL_POLICIES = ["single", *(["hand"] if CELLS.labels else [])]
FIELD_POLICY = min(SPLITS.label_policies, key=["single", "multi"].index)
EXPECTED = [*TRAINED, *product(["knn"], CELL_ROUTES)]  # tasks and routes

# From here on, in a study that is shown as far as it got: what there is.
DIVIDED = [
    f"{RESULTS}/splits/{unit}-{policy}.parquet"
    for unit, policy in product(SPLITS.units, SPLITS.label_policies)
]
DIVIDED = [path for path in DIVIDED if STUDY.splits and made(path)]
CELL_DIVIDED = [
    f"{RESULTS}/splits/cell/{unit}-{policy}.parquet"
    for unit, policy in product(SPLITS.units, CELL_POLICIES)
]
CELL_DIVIDED = [path for path in CELL_DIVIDED if CELL_TRAINED and made(path)]
ROUTES = [route for route in ROUTES if made(embedding(route[0]))]
SHOWN = [route for route in SHOWN if route in ROUTES]
TRAINED = [trained for trained in TRAINED if made(predictions(*trained))]
CELL_TRAINED = [
    trained for trained in CELL_TRAINED if made(predictions(*trained, "cell"))
]
CELL_ROUTES = [route for route in CELL_ROUTES if made(neighbours(route[0]))]
IMAGES_SEEN = OWN_IMAGES if PRETRAINED in USED and made(OWN_IMAGES) else []
TITLES = {name: backbone.title for name, backbone in USED.items()}
CONTROLS = [name for name, backbone in USED.items() if backbone.control]
UNTRAINED = {
    name: control
    for name, control in untrained_of(REGISTRY).items()
    if name in USED and control in USED
}


wildcard_constraints:
    backbone="|".join(USED),
    variant="|".join(sorted({re.escape(route[1]) for route in FINETUNED})) or "(?!)",
    split_unit="protein|fov",
    label_policy="single|multi",
    cell_policy="single|hand",
    head="|".join(STUDY.probe.heads),


def results():
    """The files of a whole study, without its report. Without splits it ends at the embeddings."""
    names = ["config.yaml", "fovs.parquet", "proteins.parquet"]
    names += ["figures/overview.html"]
    if SHOWN:
        names += ["figures/neighbours.png", "figures/neighbours.webp"]
    if {route[0] for route in ROUTES} & {*NETWORKS}:
        names += ["attention.parquet"]
        names += [f"figures/attention.{suffix}" for suffix in ("png", "webp", "csv")]
    if ROUTES:
        names += charts("throughput")
    if PRETRAINED and made(OWN_WEIGHTS):
        names += charts("pretraining")
        names += [OWN_IMAGES.removeprefix(f"{RESULTS}/")]
    if TRAINED or CELL_ROUTES:
        names += ["metrics.parquet", "summary.parquet"]
        names += ["comparisons.parquet", "enough.parquet", "published.parquet"]
        names += charts("shortcuts")
    if TRAINED:
        names += charts("fractions", "strategies", "classes", "confusion")
        names += charts("tuned") if FINETUNED else []
        names += charts("shots") if SPLITS.shots else []
        scored = {route[0] for _, route in TRAINED}
        names += [
            f"figures/predictions-{name}.{suffix}"
            for suffix in ("png", "webp")
            for name in USED
            if name in scored and not USED[name].control
        ]
    if STUDY.cells and made(CELL_STORE["cells"]):
        names += ["cells.parquet", "segmented.parquet", "cell_labels.parquet"]
        names += ["figures/cells-overlays.png", "figures/cells-overlays.webp"]
    if CELL_ROUTES:
        names += ["figures/cells-neighbours.png", "figures/cells-neighbours.webp"]
        names += charts("cells-k", "cells-umap")
    vectors = unique(embedding(name) for name, _ in ROUTES)
    vectors += unique(embedding(name, "cell") for name, _ in CELL_ROUTES)
    return [*(f"{RESULTS}/{name}" for name in names), *vectors]


def unique(names):
    """Names without repeats, in their order."""
    return [*dict.fromkeys(names)]


def names_of(name, level):
    """The variants of a backbone at a level by name."""
    return [str(variant) for variant in VARIANTS[level][name]]


def row_of(name):
    """A backbone's row as a step takes it: without texts that change no result."""
    texts = {"preparation", "request", "licence", "citation"}
    return USED[name].model_dump(exclude=texts)


def cut_of(name):
    """How the cells of a backbone are cut out: as its row says, or as the study does."""
    cell = getattr(USED[name], "cell", None) or CellView()
    masked = cell.mask_neighbours
    return {
        "crop_um": shown_crop_um(USED[name], CELLS),
        "mask_neighbours": CELLS.mask_neighbours if masked is None else masked,
        "padding": cell.padding,
    }


def charts(*names):
    """The files of charts: two pictures each, and what they show as a table."""
    return [
        f"figures/{name}.{suffix}" for name in names for suffix in ("svg", "png", "csv")
    ]


def weights(name):
    """The file of a backbone's weights: made by the study, shipped with the project, or fetched before."""
    if name == PRETRAINED:
        return OWN_WEIGHTS
    named = str(USED[name].weights)
    fetched = SOURCES[named].file_name if named in SOURCES else None
    place = FETCHED_WEIGHTS / fetched if fetched else Path(workflow.basedir) / named
    return str(place) if place.is_file() else []


def excluded(of):
    """The split, the tested fields of which are left out of pretraining; none where all are seen."""
    return f"{RESULTS}/splits/{of.unit}-{of.label_policy}.parquet" if of else []


def memory(mb):
    """What a job asks for, MB: more after an attempt that failed, perhaps for want of it."""
    return lambda wildcards, attempt: mb * attempt


def beside(result, name):
    """The path of another file in the folder of a result."""
    return Path(result).with_name(name).as_posix()


def source():
    """Where images and labels come from, as the acquire room takes it."""
    simulated = {"mirror": MIRROR, "labels": f"{MIRROR}/{ANNOTATIONS}"}
    place = Acquisition(**simulated) if SIMULATED else STUDY.acquisition
    return place.model_dump() | {"classes": STUDY.classes}


def title(route):
    """How a route is called on figures; the variant is named where a backbone has several."""
    several = sum(name == route[0] for name, _ in ROUTES) > 1
    return USED[route[0]].title + (f", {route[1]}" if several else "")


def pictured(routes):
    """Routes for sheets of pictures, which take room: one for each backbone that learned, and a control."""
    first = [*{route[0]: route for route in reversed(routes)}.values()][::-1]
    learned = [route for route in first if not USED[route[0]].control]
    return learned + [route for route in first if route not in learned][:1]
