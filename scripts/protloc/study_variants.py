"""Which variants of its backbones a study has: each different strategy at each scale."""

from __future__ import annotations

from collections.abc import Mapping

from protloc.config.backbones import Backbone, Network
from protloc.config.settings import Study
from protloc.config.tokens import warning
from protloc.models.strategies import distinct, draws_of, possible
from protloc.variants import NO_STRATEGY, Variant


def strategies_of(study: Study, backbone: Network) -> dict[str, list[str]]:
    """The strategies that differ for a network, each with the others that are the same for it."""
    return distinct(_asked(study), backbone.slots, backbone.natural)


def impossible(study: Study, backbone: Network) -> list[str]:
    """The strategies of the study that the inputs of a network do not allow."""
    found = possible(_asked(study), backbone.slots, backbone.natural)
    return [name for name in _asked(study) if name not in found]


def variants_of(study: Study, name: str, backbone: Backbone, level: str = "fov") -> list[Variant]:
    """The variants of a backbone at a level, `fov` or `cell`, sorted: features have one."""
    if not isinstance(backbone, Network):
        return [Variant(NO_STRATEGY)]
    group = study.embedding if level == "fov" else study.cells
    scales = (group.scales if group else {}).get(name, [1.0])
    return sorted(Variant(strategy, scale) for strategy in strategies_of(study, backbone) for scale in scales)


def finetuned_variants(study: Study, name: str, backbone: Network) -> list[Variant]:
    """The variants of a network that are fine-tuned: at its own scale."""
    if study.finetune is None or name not in (study.finetune.backbones or [name]):
        return []
    chosen = draws_of(study.finetune.strategies or study.embedding.strategies, study.embedding.random_draws)
    same = strategies_of(study, backbone)
    wanted = {first for first, others in same.items() if {first, *others} & {*chosen}}
    return sorted(Variant(strategy) for strategy in wanted)


def _asked(study: Study) -> list[str]:
    return draws_of(study.embedding.strategies, study.embedding.random_draws)


def token_warnings(study: Study, registry: Mapping[str, Backbone], field_um: float) -> list[str]:
    """A line for each network, level and scale at which images are far from the size of its pretraining.

    `field_um` is the side of a field of view, µm.
    """
    levels = [("fov", field_um, study.embedding.backbones)]
    if study.cells:
        levels.append(("cell", study.cells.crop_um, cell_backbones(study)))
    return [
        line
        for level, side_um, names in levels
        for name in names
        if isinstance(row := registry[name], Network)
        for scale in sorted({variant.scale for variant in variants_of(study, name, row, level)})
        if (line := warning(row, level, side_um, scale))
    ]


def cell_backbones(study: Study) -> list[str]:
    """The backbones that cells are embedded with."""
    return (study.cells.backbones or study.embedding.backbones) if study.cells else []
