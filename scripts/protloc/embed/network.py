"""Images through a network, exactly on a CPU and fast on a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import torch

from protloc.config.backbones import Network
from protloc.embed.batches import Batch, by_size, read_batch, restore_order
from protloc.embed.encoder import Encoder, to_host
from protloc.embed.images import Image, Images
from protloc.embed.speed import speed_facts
from protloc.embed.store import Named, write_embeddings
from protloc.parallel import in_order
from protloc.variants import Variant

BLOCK = 4  # images that a CPU takes at once


def embed_network(
    images: Images,
    network: Network,
    variants: Sequence[Variant],
    path: Path,
    *,
    batch_size: int,
    threads: int,
) -> dict[str, str | float]:
    """Write the embedding file of a row of the registry, all variants from one reading of the images.

    Gives what was measured: rate and device. Raises InputError for a bad image, backbone or weights.
    """
    torch.set_num_threads(1)  # a sum over several threads would depend on their number
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = Encoder(network, variants, device, images.level)
    encoded = (
        on_gpu(encoder, images.images, batch_size, threads)
        if device.type == "cuda"
        else on_cpu(encoder, images.images, threads)
    )
    rows = restore_order(encoded, [image.name for image in images.images])
    measured = write_embeddings(rows, images, path, encoder.footer())
    measured |= speed_facts(
        encoder, next(by_size(images.images, BLOCK)), measured["images_per_second"], threads
    )
    return measured | {"device": device_name(device)}


def on_cpu(encoder: Encoder, images: Iterable[Image], threads: int) -> Iterator[Named]:
    """Yield (name, vectors by variant) from blocks of one size, each block in one of the threads.

    A kernel may sum in another order for a batch of another size, but not for other neighbours in a batch of
    the same size; so a block that lacks images is filled up, and an image has the same bits in any company.
    """

    def encode(block: Batch) -> dict[Variant, np.ndarray]:
        counts = torch.from_numpy(read_batch(block, at_least=BLOCK))
        return encoder.encode(counts, block[0].pixel_size_um)

    blocks = by_size(images, BLOCK)
    yield from in_rows(in_order(encode, blocks, workers=threads, ahead=2 * threads))


def on_gpu(encoder: Encoder, images: Iterable[Image], batch_size: int, threads: int) -> Iterator[Named]:
    """Yield (name, vectors by variant) from batches that threads read ahead into pinned memory."""

    def read(batch: Batch) -> torch.Tensor:
        return torch.from_numpy(read_batch(batch)).pin_memory()

    waiting = in_order(read, by_size(images, batch_size), workers=max(threads, 4), ahead=4)
    queued = ((batch, encoder.vectors(counts, batch[0].pixel_size_um)) for batch, counts in waiting)
    for earlier, _ in pairwise(
        chain(queued, [None])
    ):  # the GPU has the next batch before this one is fetched
        yield from in_rows([(earlier[0], to_host(earlier[1]))])


def in_rows(encoded: Iterable[tuple[Batch, dict[Variant, np.ndarray]]]) -> Iterator[Named]:
    """Yield (name, vectors by variant) for each image of each batch."""
    for batch, vectors in encoded:
        for row, image in enumerate(batch):
            yield image.name, {variant: block[row] for variant, block in vectors.items()}


def device_name(device: torch.device) -> str:
    """`cpu`, or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
