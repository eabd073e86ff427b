"""One thread for every numerical library: sums over several depend on how many there are."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_limits


def one_thread() -> None:
    """Pin torch and the libraries behind NumPy to one thread, for the rest of the process."""
    torch.set_num_threads(1)
    threadpool_limits(1)
