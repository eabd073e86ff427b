"""The maps of a few fields under each backbone, as the table `attention`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from protloc.attention.mapper import Mapper
from protloc.attention.places import NoMap
from protloc.choose import spread_over_classes
from protloc.config.backbones import Network
from protloc.errors import InputError
from protloc.fields import Field, good_fields
from protloc.parallel import in_order
from protloc.progress import progress
from protloc.tables import TABLES
from protloc.threads import one_thread

MOST = 6  # fields beside each other, which a figure of two columns shows large enough


def attention_table(
    fovs: pd.DataFrame,
    proteins: pd.DataFrame,
    root: Path,
    networks: Mapping[str, Mapping],
    strategies: Mapping[str, str],
    *,
    count: int,
    threads: int,
) -> pd.DataFrame:
    """The table `attention` of up to `count` good fields, MOST at most, spread over classes.

    `networks` are rows of the registry and `strategies` their channel strategies, by name; the fields lie
    below `root`. A network without a map is left out. Raises InputError for a bad image, backbone or weights,
    or for no good field.
    """
    one_thread()  # a sum over several threads would depend on their number
    shown = _choose(fovs, proteins, min(count, MOST))
    labels = dict(zip(shown["fov_id"], shown["label"], strict=True))
    fields = [field for field in good_fields(fovs) if field.fov_id in labels]
    if not fields:
        raise InputError("fovs.parquet: status: no field is ok, so there is none to show")
    images = [(field, field.read(root)) for field in fields]
    rows = [
        {"backbone": backbone, "strategy": strategies[backbone], "label": labels[row["fov_id"]]} | row
        for backbone, network in progress(networks.items(), total=len(networks), unit="backbones")
        for row in _rows(Network.model_validate(network), strategies[backbone], images, threads)
    ]
    return pd.DataFrame(rows, columns=[column.name for column in TABLES["attention"].columns])


def _rows(
    network: Network, strategy: str, images: Sequence[tuple[Field, np.ndarray]], threads: int
) -> Iterator[dict[str, Any]]:
    """The map of each image under one network, which is let go when the last one is made.

    None of a network that has no map, which is logged with the reason.
    """
    try:
        mapper = Mapper(network, strategy)
        maps = list(
            in_order(
                lambda image: mapper.map(image[1], image[0].pixel_size_um),
                images,
                workers=threads,
                ahead=threads,
            )
        )
    except NoMap as reason:
        logging.warning("%s: no map can be made: %s", network.title, reason)
        return
    for (field, _), values in maps:
        height, width = values.shape
        grid = {"kind": mapper.kind, "height": height, "width": width, "places": values.ravel()}
        yield {"fov_id": field.fov_id, **grid}


def _choose(fovs: pd.DataFrame, proteins: pd.DataFrame, count: int) -> pd.DataFrame:
    """The fields that are shown: good ones, by the first of the protein's very prominent localizations."""
    labels = dict(zip(proteins["gene"], proteins["grade_3"].map(list), strict=True))
    good = fovs[fovs["status"] == "ok"]
    main = good["gene"].map(lambda gene: (labels.get(gene) or ["none"])[0])
    return spread_over_classes(good.assign(label=main), count)
