"""The work of each step of a study, from its configuration and the arithmetic of its networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from protloc.config.backbones import Backbone, Network, shown_crop_um
from protloc.config.settings import Cells, Study
from protloc.cut import side_px
from protloc.estimate.arithmetic import TRAINED, gflop
from protloc.estimate.size import Size, probed, routes, runs, tuned
from protloc.models.strategies import matrices
from protloc.models.view import view_of
from protloc.study_variants import cell_backbones, finetuned_variants, strategies_of, variants_of


@dataclass(frozen=True)
class Work:
    """What one step needs: arithmetic of networks in GFLOP, or a number of units that a rate is known for."""

    step: str
    gflop: float = 0.0
    rate: str | None = None
    units: float = 0.0


def work_of(study: Study, registry: Mapping[str, Backbone], size: Size) -> list[Work]:
    """The steps of a study with their work.

    Of training it is the most there can be: early stopping takes less.
    """
    used = {name: registry[name] for name in study.embedding.backbones}
    networks = {name: row for name, row in used.items() if isinstance(row, Network)}
    return [
        *_embedding(study, networks, size),
        *_pretraining(study, registry, size),
        *_finetuning(study, networks, size),
        *_others(study, used, size),
    ]


def passes(network: Network, study: Study) -> int:
    """How often a network runs over an image at a scale: once for each distinct matrix of its strategies."""
    found = (matrices(name, network.slots, network.natural) for name in strategies_of(study, network))
    return len({matrix for several in found for matrix in several})


def _embedding(study: Study, networks: Mapping[str, Network], size: Size) -> Iterator[Work]:
    cells = cell_backbones(study)
    fields = sum(_image(name, row, study, size, "fov") for name, row in networks.items())
    crops = sum(_image(name, row, study, size, "cell") for name, row in networks.items() if name in cells)
    yield Work("embed fields", gflop=size.fields * fields)
    if size.cells:
        yield Work("embed cells", gflop=size.cells * crops)


def _image(name: str, row: Network, study: Study, size: Size, level: str) -> float:
    """GFLOP for an image of a level in all variants of a network."""
    view, total = view_of(row, level), 0.0
    crop = shown_crop_um(row, study.cells or Cells())
    side = size.field_px if level == "fov" else side_px(crop, size.pixel_size_um)
    for scale in {variant.scale for variant in variants_of(study, name, row, level)}:
        tiles = view.at(scale).tiles(side, side, size.pixel_size_um)
        tile = tiles[0][0].stop - tiles[0][0].start
        total += len(tiles) * gflop(row, view.at(scale).shown(tile, tile, size.pixel_size_um)[0])
    return passes(row, study) * total


def _pretraining(study: Study, registry: Mapping[str, Backbone], size: Size) -> Iterator[Work]:
    if study.pretraining:
        one, row = study.pretraining, registry[study.pretraining.backbone]
        large, small = (gflop(row, side) for side in (one.large_px, one.small_px))
        student = TRAINED * (one.large_views * large + one.small_views * small)
        images = one.epochs * one.epoch_steps(size.fields) * one.batch_size
        yield Work("pretrain", gflop=images * (student + one.large_views * large))


def _finetuning(study: Study, networks: Mapping[str, Network], size: Size) -> Iterator[Work]:
    if study.finetune:
        yield Work("fine-tune", gflop=sum(_tuned_runs(study, networks, size)))


def _tuned_runs(study: Study, networks: Mapping[str, Network], size: Size) -> Iterator[float]:
    """GFLOP of each run: crops to train on, a look at validation after each epoch, one at the test part."""
    tuning, splits = study.finetune, study.splits
    training = size.fields * (1 - splits.test_share - splits.validation_share)
    for name in tuning.backbones or networks:
        row = networks[name]
        whole = view_of(row, "fov").shown(size.field_px, size.field_px, size.pixel_size_um)[0]
        crop, field = gflop(row, tuning.px or whole), gflop(row, whole)
        for variant in finetuned_variants(study, name, row):
            several = len(matrices(variant.strategy, row.slots, row.natural))
            for fraction, _ in runs(study, tuning):
                seen = max(fraction * training, tuning.min_steps * tuning.batch_size)
                looks = splits.validation_share * size.fields * (1 if splits.whole_validation else fraction)
                once = (splits.test_share + fraction) * size.fields
                yield several * (tuning.epochs * (TRAINED * seen * crop + looks * field) + once * field)


def _others(study: Study, used: Mapping[str, Backbone], size: Size) -> Iterator[Work]:
    """What needs no GPU."""
    megapixels = size.fields * size.field_px**2 / 1e6
    handmade = sum(getattr(row, "method", "") == "handmade" for row in used.values())
    if handmade:
        cut = size.cells * size.crop_px**2 / 1e6
        yield Work("hand-made features", rate="features_s", units=handmade * (megapixels + cut))
    if study.cells:
        yield Work("find cells", rate="cells_s", units=megapixels)
        drawn = min(size.cells, (study.knn.cells_per_protein or size.cells) * size.proteins)
        variants = routes(study, used, cell_backbones(study), "cell")
        searches = len(study.knn.seeds) * len(study.knn.apart) * variants
        yield Work("neighbours of cells", rate="knn_s", units=searches * (drawn / 20000) ** 2)
    if heads := probed(study, used):
        yield Work("probes", rate="probe_s", units=heads)
        yield Work("statistics", rate="evaluate_s", units=heads + tuned(study, used))
