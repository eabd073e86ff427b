"""Configuration and registry, checked: a wrong one stops with a line per fault before any job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from protloc.config.backbones import PRETRAINED, Backbone, Network
from protloc.config.image_sizes import check_image_size
from protloc.config.like import resolved
from protloc.config.settings import Study
from protloc.errors import InputError


def load_study(values: Mapping[str, Any], registry: Mapping[str, Backbone]) -> Study:
    """The checked configuration; raises InputError that names each wrong key and what is allowed."""
    try:
        study = Study.model_validate(values)
    except ValidationError as error:
        raise InputError("; ".join(_explain(fault, Study) for fault in error.errors())) from error
    unknown = [name for name in study.embedding.backbones if name not in registry]
    if unknown:
        raise InputError(
            f"configuration: embedding.backbones: {unknown[0]} is not in config/backbones.yaml; "
            f"allowed: {', '.join(registry)}"
        )
    _check_pretraining(study, registry)
    for name in study.cells.scales if study.cells else ():
        if getattr(registry[name], "image_px", None):
            raise InputError(f"configuration: cells.scales: {name} takes images of one size; leave it out")
    for name in (study.finetune and study.finetune.backbones) or ():
        if not isinstance(registry[name], Network):
            raise InputError(f"configuration: finetune.backbones: {name} is no network; leave it out")
    return study


def _check_pretraining(study: Study, registry: Mapping[str, Backbone]) -> None:
    """Refuse weights that nothing makes, and a pretraining of what is no row for weights of our own."""
    made = study.pretraining and study.pretraining.backbone
    for name in study.embedding.backbones:
        if getattr(registry[name], "weights", None) == PRETRAINED and name != made:
            raise InputError(
                f"configuration: embedding.backbones: the study makes the weights of {name} itself; "
                f"give pretraining with backbone: {name}, or leave it out"
            )
    if made and getattr(registry.get(made), "layout", None) != "safetensors":
        raise InputError(
            f"configuration: pretraining.backbone: {made} is no network with layout safetensors in "
            "config/backbones.yaml; enter such a row"
        )


def load_backbones(path: Path) -> dict[str, Backbone]:
    """The registry of backbones by name; raises InputError for a row that does not fit."""
    adapter = TypeAdapter(dict[str, Backbone])
    try:
        backbones = adapter.validate_python(resolved(read_yaml(path), path))
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: {'.'.join(map(str, first['loc']))}: {message}") from error
    for name, backbone in backbones.items():
        _check_network(path, name, backbone)
    return backbones


def _check_network(path: Path, name: str, backbone: Backbone) -> None:
    if not isinstance(backbone, Network):
        return
    for field in ("mean", "std"):
        if len(getattr(backbone, field)) not in (0, len(backbone.slots)):
            raise InputError(f"{path}: {name}.{field}: give one number for each slot of {backbone.slots}")
    missing = [slot for slot in backbone.natural.values() if slot not in backbone.slots]
    if missing:
        raise InputError(f"{path}: {name}.natural: {missing[0]} is not one of the slots {backbone.slots}")
    check_image_size(f"{path}: {name}.image_px", backbone)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises InputError where it cannot be read or is none."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not a readable YAML file ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: holds no settings; expected `name: value` lines")
    return values


def dump_study(study: Study) -> str:
    """The merged configuration as YAML, defaults included; reads back as the same study."""
    return yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False)


def _explain(fault: Mapping[str, Any], root: type[BaseModel]) -> str:
    """One line for one fault: the key, what is wrong with it, what is allowed."""
    where = ".".join(str(part) for part in fault["loc"]) or "study"
    if fault["type"] == "extra_forbidden":
        return f"configuration: {where}: unknown key; allowed: {', '.join(_siblings(fault['loc'], root))}"
    given = "" if isinstance(fault["input"], Mapping) else f" (given: {fault['input']!r})"
    return f"configuration: {where}: {fault['msg'].removeprefix('Value error, ')}{given}"


def _siblings(location: tuple[str | int, ...], model: type[BaseModel]) -> list[str]:
    """The keys allowed in the group that holds `location`."""
    for part in location[:-1]:
        annotation = model.model_fields[str(part)].annotation
        kinds = (annotation, *getattr(annotation, "__args__", ()))
        model = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(model.model_fields)
