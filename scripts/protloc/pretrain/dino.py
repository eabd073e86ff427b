"""From the table of fields to weights and their curve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save

from protloc.atomic import remove
from protloc.config.backbones import Network
from protloc.config.settings import Pretraining
from protloc.errors import InputError
from protloc.hashing import sha256_value
from protloc.pretrain.fields import Fields, load_fields
from protloc.pretrain.roles import HELD_OUT, PRETRAINED, roles, single_labels
from protloc.pretrain.train import Training
from protloc.pretrain.watch import measure, warn_of_collapse


def pretrain(
    fovs: pd.DataFrame,
    proteins: pd.DataFrame,
    tested: frozenset[str],
    root: Path,
    backbone: Mapping,
    pretraining: Mapping,
    weights: Path,
    checkpoints: Path,
    run: dict[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the teacher's `weights` (safetensors, float32, timm's names); gives its curve and its images.

    These are the tables `curve` and `pretraining_images`. `fovs` and `proteins` are the tables of those
    names, `tested` are ids of fields that are left out and not read, keys lie below `root`, `backbone` is a
    row of the registry, `checkpoints` a folder of this run's own, deleted at the end. `run` takes
    what was measured: rate and device. Raises InputError for a bad field or too few of them.
    """
    torch.set_num_threads(1)  # a sum over several threads would depend on their number
    network, settings = Network.model_validate(backbone), Pretraining.model_validate(pretraining)
    good = fovs[fovs["status"] == "ok"].sort_values("fov_id")
    role = roles(good, proteins, tested, settings.held_out_share, settings.seed)
    seen, held = good[role == PRETRAINED], good[role == HELD_OUT]
    _check_numbers(len(seen), len(held), settings)
    training = Training(load_fields(seen, root, network), network, settings)
    watched = _watched(held, proteins, load_fields(held, root, network))
    checkpoints.mkdir(parents=True, exist_ok=True)
    identity = identity_of(seen, held, network, settings)
    curve = training.run(checkpoints, identity, lambda teacher: measure(teacher, watched))
    run |= training.measured()
    warn_of_collapse(curve, settings.prototypes)
    weights.write_bytes(save(training.teacher.backbone.state_dict()))
    remove(checkpoints)
    images = good[["fov_id", "gene"]].assign(backbone=settings.backbone, role=role)
    return pd.DataFrame(curve), images


def _check_numbers(seen: int, held: int, settings: Pretraining) -> None:
    if seen < settings.batch_size or not held:
        raise InputError(
            f"pretraining: {seen} fields to train on and {held} held out are too few for "
            f"batches of {settings.batch_size}; add images or lower pretraining.batch_size"
        )


def _watched(fovs: pd.DataFrame, proteins: pd.DataFrame, images: list[torch.Tensor]) -> Fields:
    labels = fovs["gene"].map(single_labels(proteins))
    return Fields(images, pd.factorize(labels, sort=True)[0], pd.factorize(fovs["gene"], sort=True)[0])


def identity_of(seen: pd.DataFrame, held: pd.DataFrame, network: Network, settings: Pretraining) -> str:
    """What a checkpoint must agree in to be gone on from: images, network, all settings but the length."""
    return sha256_value(
        [
            seen["sha256"].tolist(),
            held["sha256"].tolist(),
            network.model_dump(mode="json", exclude={"title", "weights", "layout", "control"}),
            settings.model_dump(mode="json", exclude={"epochs"}),
        ]
    )
