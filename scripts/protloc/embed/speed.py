"""How fast a device is, how much of that an embedding needs, and what reduced precision costs it."""

from __future__ import annotations

import logging
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cosine_similarity
from torch.utils.flop_counter import FlopCounterMode

from protloc.embed.batches import Batch, read_batch
from protloc.embed.encoder import Encoder

SIDES = {"cpu": 1024, "cuda": 8192}  # of the matrices; large enough to be bound by arithmetic alone
REPEATS = 3
CLOSE = 0.99  # cosine of a vector to the same in float32; below, the network does not bear the precision


def work_per_image(encoder: Encoder, counts: torch.Tensor, pixel_size_um: float) -> float:
    """Floating-point operations of products and convolutions for one of the images of a batch of counts."""
    with (
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):  # a fused one is not counted
        encoder.encode(counts, pixel_size_um)
    return counter.get_total_flops() / len(counts)


def peak(device: torch.device, precision: torch.dtype) -> float:
    """Floating-point operations a second in the best of a few large matrix products, measured now."""
    side = SIDES[device.type]
    random = torch.Generator().manual_seed(0)  # constant numbers would flatter: they need less power
    matrix = torch.rand(side, side, generator=random).to(device, precision)
    seconds = []
    for _ in range(1 + REPEATS):  # the first one warms up
        started = time.perf_counter()
        product = matrix @ matrix
        product[0, 0].item()  # waits for a GPU
        seconds.append(time.perf_counter() - started)
    return 2 * side**3 / min(seconds[1:])


def closeness(encoder: Encoder, counts: torch.Tensor, pixel_size_um: float) -> float:
    """The smallest cosine in a batch, over all variants, of a vector to the same in float32."""
    if encoder.precision == torch.float32:
        return 1.0
    exact = encoder.vectors(counts, pixel_size_um, torch.float32)
    reduced = encoder.vectors(counts, pixel_size_um)
    smallest = min(float(cosine_similarity(exact[name], reduced[name]).min()) for name in exact)
    if not smallest >= CLOSE:
        logging.warning("vectors in %s have a cosine of %.4f to float32", encoder.precision, smallest)
    return smallest


def speed_facts(encoder: Encoder, batch: Batch, images_per_second: float, threads: int) -> dict[str, float]:
    """What varies from run to run and tells whether a speed is normal: for the record, not for the file.

    gflop_per_image: of products and convolutions, all variants together. share_of_peak: of what `threads`
    cores, or the GPU, can do. closest_to_float32: see `closeness`.
    """
    counts, scale = torch.from_numpy(read_batch(batch)), batch[0].pixel_size_um
    work, most = work_per_image(encoder, counts[:1], scale), peak(encoder.device, encoder.precision)
    most *= threads if encoder.device.type == "cpu" else 1
    return {
        "gflop_per_image": round(work / 1e9, 3),
        "peak_gflops": round(most / 1e9, 1),
        "share_of_peak": float(f"{work * images_per_second / most:.3g}"),
        "closest_to_float32": round(closeness(encoder, counts, scale), 5),
    }
