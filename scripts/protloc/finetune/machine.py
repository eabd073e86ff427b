"""Where a network runs, and how batches are cut for it: exactly on a CPU, fast on a GPU."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 8  # images that a CPU takes at once


@dataclass(frozen=True)
class Machine:
    """A device, the images it takes at once, and the threads that prepare images for it.

    A CPU takes blocks of one size through single-threaded kernels, `lanes` of them side by side, and what
    they give is summed in their order: to the bit the same for every number of threads.
    """

    device: torch.device
    block: int
    threads: int

    @property
    def lanes(self) -> int:
        """Blocks that are computed side by side."""
        return self.threads if self.device.type == "cpu" else 1

    def pinned(self, images: Tensor) -> Tensor:
        """The images, where a GPU can fetch them while it computes."""
        return images if self.device.type == "cpu" else images.pin_memory()

    def placed(self, images: Tensor) -> Tensor:
        """The images on the device, laid out as its convolutions like them."""
        if self.device.type == "cpu":
            return images
        return images.to(self.device, non_blocking=True, memory_format=torch.channels_last)

    def precision(self) -> torch.autocast:
        """A context in which networks compute: bfloat16 on a GPU, float32 on a CPU."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type != "cpu")


def this_machine(micro_batch: int, threads: int) -> Machine:
    """The GPU, if there is one, with batches of `micro_batch`; else the CPU with its own blocks."""
    if torch.cuda.is_available():
        return Machine(torch.device("cuda"), micro_batch, max(threads, 4))
    return Machine(torch.device("cpu"), BLOCK, threads)
