"""How large a study is, before any of it is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from protloc.config.backbones import Backbone, Network
from protloc.config.settings import Finetune, Study
from protloc.opencell import FIELD_BYTES, FIELD_PX, FIELDS, PIXEL_SIZE_UM, PROTEINS
from protloc.study_variants import cell_backbones, finetuned_variants, variants_of

CELLS_PER_FIELD = 40  # a field of OpenCell's has 25 to 60


@dataclass(frozen=True)
class Size:
    """Numbers of fields, proteins and cells; sides of a field and a crop, px; µm per px; bytes of a file."""

    fields: int
    proteins: int
    cells: int
    field_px: int
    crop_px: int
    pixel_size_um: float
    field_bytes: int

    @property
    def field_um(self) -> float:
        """The side of a field, µm."""
        return self.field_px * self.pixel_size_um


def size_of(study: Study, fields: int | None = None) -> Size:
    """What a study's simulation says; else OpenCell's, or `fields` as large as those."""
    if study.simulation:
        one = study.simulation
        proteins, side, scale = one.proteins_per_class * len(study.classes), one.field_size_px, PIXEL_SIZE_UM
        count, length = proteins * one.fields_per_protein, 4 * side**2
    else:
        count, side, scale, length = FIELDS, FIELD_PX, study.acquisition.pixel_size_um, FIELD_BYTES
        proteins = PROTEINS
    count = fields or count
    cells = round(count * CELLS_PER_FIELD * (side / FIELD_PX) ** 2) if study.cells else 0
    crop = round(study.cells.crop_um / scale) if study.cells else 0
    return Size(count, proteins, cells, side, crop, scale, length)


def runs(study: Study, group: Finetune | None = None) -> Sequence[tuple[float, int]]:
    """Share of the training part and seed of each run on a route, over all units and policies.

    They are those of the splits, or of `group`. A few-shot run is counted as the smallest fraction.
    """
    splits = study.splits
    if splits is None:
        return []
    names = {"units": "units", "policies": "label_policies", "fractions": "fractions", "seeds": "seeds"}
    chosen = [getattr(group, own, None) or getattr(splits, its) for own, its in names.items()]
    shots = splits.shots if group is None or group.shots is None else group.shots
    chosen[2] = [*chosen[2], *[min(chosen[2])] * len(shots)]
    return [(fraction, seed) for _, _, fraction, seed in product(*chosen)]


def routes(study: Study, used: Mapping[str, Backbone], names: Iterable[str], level: str = "fov") -> int:
    """How many variants some backbones have in all: features have one each."""
    return sum(len(variants_of(study, name, used[name], level)) for name in names)


def probed(study: Study, used: Mapping[str, Backbone]) -> int:
    """The number of runs of all heads, on fields and on cells."""
    of_fields = routes(study, used, used) * len(runs(study))
    return len(study.probe.heads) * (of_fields + _runs_on_cells(study, used))


def _runs_on_cells(study: Study, used: Mapping[str, Backbone]) -> int:
    """The number of runs of a head on cells, labelled by their proteins and perhaps by hand."""
    if not (study.splits and study.cells and study.cells.probe):
        return 0
    policies = 1 + bool(study.cells.labels)
    each = len(runs(study)) // len(study.splits.label_policies) * policies
    return routes(study, used, cell_backbones(study), "cell") * each


def tuned(study: Study, used: Mapping[str, Backbone]) -> int:
    """The number of runs of all networks that are fine-tuned."""
    if study.finetune is None:
        return 0
    networks = [name for name, row in used.items() if isinstance(row, Network)]
    variants = sum(len(finetuned_variants(study, name, used[name])) for name in networks)
    return variants * len(runs(study, study.finetune))
