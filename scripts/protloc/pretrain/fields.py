"""The study's own images, ready to be cropped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from protloc.config.backbones import Network
from protloc.errors import InputError
from protloc.images import read_field
from protloc.models.preprocess import prepare
from protloc.models.view import view_of
from protloc.progress import progress

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Fields:
    """Images, uint8 (channels, height, width) on the network's scale; labels and proteins as integers."""

    images: list[Tensor]
    labels: np.ndarray
    proteins: np.ndarray


def load_fields(fovs: pd.DataFrame, root: Path, network: Network) -> list[Tensor]:
    """The image of each row of the table `fovs`, whose keys lie below `root`, as the network is shown it.

    Eight bits are a quarter of float32's memory and finer than the camera's noise. Raises InputError for a
    bad field.
    """
    if network.normalization == "standardize":
        raise InputError(
            f"config/backbones.yaml: {network.title}: normalization: pretraining needs intensities 0 to 1; "
            "give percentiles or minmax"
        )
    rows = fovs[["key", "sha256", "pixel_size_um"]].itertuples(index=False)
    return [
        _prepared(read_field(root, key, sha256), pixel_size_um, network)
        for key, sha256, pixel_size_um in progress(rows, total=len(fovs), unit="fields")
    ]


def _prepared(counts: np.ndarray, pixel_size_um: float, network: Network) -> Tensor:
    view = view_of(network, "fov")
    image = prepare(torch.from_numpy(counts)[None], pixel_size_um, view, CPU, network.normalization)[0]
    return (255 * image).round().byte()
