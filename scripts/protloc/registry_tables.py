"""The registry of backbones as tables in Markdown: how each network is shown images, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from protloc.config.backbones import PRETRAINED, Backbone, CellView, Network
from protloc.config.sources import Source

MASKED = {None: "as the study", True: "masked", False: "shown"}
BEYOND = {"background": "background", "zero": "zeros"}
NORMALIZATIONS = {
    "percentiles": "percentiles 1 and 99.9 of each channel",
    "minmax": "minimum and maximum of each channel",
    "minmax_joint": "minimum and maximum of all channels together",
    "standardize": "mean and deviation of each channel",
    "standardize_first": "mean and deviation of each channel, before resizing",
}
FEATURES = {
    None: "the network's own",
    "cls": "class token",
    "pooled": "mean over the image",
    "cls_pooled": "class token, mean of patches",
    "gated": "gated attention",
}
IMAGES = (
    "backbone", "fields", "cells", "width of a crop", "other cells", "beyond the field", "normalization",
    "pretrained on",
)  # fmt: skip
VECTORS = ("backbone", "network", "inputs", "vector", "positions", "weights", "licence")


def registry_tables(registry: Mapping[str, Backbone], sources: Mapping[str, Source]) -> str:
    """Three parts: how images are shown, what the vectors are, and where each row has that from."""
    networks = {name: row for name, row in registry.items() if isinstance(row, Network)}
    parts = [
        "## How images are shown\n",
        _table(IMAGES, [[f"`{name}`", *_images(row)] for name, row in networks.items()]),
        "\n## Vectors and weights\n",
        _table(VECTORS, [[f"`{name}`", *_vectors(row, sources)] for name, row in networks.items()]),
        "\n## Where that is from\n",
        *_preparations(networks),
    ]
    return "\n".join(parts) + "\n"


def _images(row: Network) -> list[str]:
    tiles = f", tiles of {row.tile_px} px" if row.tile_px else ""
    constants = f", then mean {_numbers(row.mean)}, deviation {_numbers(row.std)}" if row.mean else ""
    return [
        f"{row.um_per_px:g} µm/px{tiles}",
        _scale(row.cell, row.um_per_px),
        f"{row.cell.crop_um:g} µm" if row.cell.crop_um else "as the study",
        MASKED[row.cell.mask_neighbours],
        BEYOND[row.cell.padding],
        NORMALIZATIONS[row.normalization] + constants,
        f"{row.pretrained_px} px" if row.pretrained_px else "–",
    ]


def _scale(cell: CellView, of_fields: float) -> str:
    """The scale of cells; where they are resized to a side, the side."""
    return f"{cell.px} px" if cell.px else f"{cell.um_per_px or of_fields:g} µm/px"


def _vectors(row: Network, sources: Mapping[str, Source]) -> list[str]:
    options = ", ".join(f"{key} {value}" for key, value in row.options.items() if key != "dynamic_img_size")
    feature = FEATURES.get(row.feature) or f"class tokens of {str(row.feature).rpartition('_')[2]} blocks"
    return [
        row.architecture + (f" ({options})" if options else ""),
        ", ".join(row.slots),
        feature,
        row.positions,
        _weights(row, sources),
        row.licence or "–",
    ]


def _weights(row: Network, sources: Mapping[str, Source]) -> str:
    """Where the weights come from."""
    if row.weights is None:
        return f"random, seed {row.seed}"
    if row.weights in sources:
        return f"[{sources[row.weights].file_name}]({sources[row.weights].url})"
    if row.request:
        return f"[on request]({row.request})"
    return "the study's own" if row.weights == PRETRAINED else f"`{row.weights}`"


def _preparations(networks: Mapping[str, Network]) -> list[str]:
    """An entry for each text, with the rows that it is of."""
    rows: dict[str, list[str]] = {}
    for name, row in networks.items():
        rows.setdefault(row.preparation or "not stated", []).append(f"`{name}`")
    return [f"- {', '.join(names)}: {text}." for text, names in rows.items()]


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3g}" for value in values)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
