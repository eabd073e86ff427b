"""Fields of view through a network, exactly on a CPU and fast on a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from protloc.config.backbones import Network
from protloc.embed.batches import by_size, restore_order
from protloc.embed.encoder import Encoder
from protloc.embed.fields import Field, good_fields, in_order
from protloc.embed.store import Named, write_embeddings


def embed_network(
    fovs: pd.DataFrame,
    root: Path,
    backbone: Mapping,
    paths: Mapping[str, Path],
    *,
    batch_size: int,
    threads: int,
) -> dict[str, str | float]:
    """Write the embedding file of each strategy (the names of `paths`), all from one reading of the fields.

    `fovs` is the table of that name, its keys lie below `root`, `backbone` is a row of the registry. Gives
    what was measured: rate and device. Raises InputError for a bad field, backbone or weights.
    """
    torch.set_num_threads(1)  # a sum over several threads would depend on their number
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = Encoder(Network.model_validate(backbone), list(paths), device)
    fields = good_fields(fovs)
    if device.type == "cuda":
        rows = in_batches(encoder, fields, root, batch_size, threads)
    else:
        rows = one_by_one(encoder, fields, root, threads)
    footers = {strategy: encoder.footer(strategy) for strategy in paths}
    return {**write_embeddings(rows, len(fields), paths, footers), "device": device_name(device)}


def one_by_one(encoder: Encoder, fields: Iterable[Field], root: Path, threads: int) -> Iterator[Named]:
    """Yield (fov_id, vectors by strategy), each field by itself in one of the threads.

    A kernel may sum in another order for another batch, so a field alone gives the same bits in any company.
    """

    def vectors(field: Field) -> dict[str, np.ndarray]:
        counts = torch.from_numpy(field.read(root))
        encoded = encoder.encode(counts[None], field.pixel_size_um)
        return {strategy: batch[0] for strategy, batch in encoded.items()}

    for field, named in in_order(vectors, fields, workers=threads, ahead=2 * threads):
        yield field.fov_id, named


def in_batches(
    encoder: Encoder, fields: Sequence[Field], root: Path, batch_size: int, threads: int
) -> Iterator[Named]:
    """Yield (fov_id, vectors by strategy) in order, from batches of fields of one size, read ahead."""

    def encoded() -> Iterator[Named]:
        read = in_order(lambda field: field.read(root), fields, workers=threads, ahead=2 * batch_size)
        for batch in by_size(read, batch_size):
            counts = torch.from_numpy(np.stack([pixels for _, pixels in batch]))
            counts = counts.pin_memory() if encoder.device.type == "cuda" else counts
            vectors = encoder.encode(counts, batch[0][0].pixel_size_um)
            for row, (field, _) in enumerate(batch):
                yield field.fov_id, {strategy: block[row] for strategy, block in vectors.items()}

    yield from restore_order(encoded(), [field.fov_id for field in fields])


def device_name(device: torch.device) -> str:
    """`cpu`, or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
