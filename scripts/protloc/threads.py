"""One thread for every numerical library: sums over several depend on how many there are."""

from __future__ import annotations

import os
import sys

from threadpoolctl import threadpool_limits

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def one_thread() -> None:
    """Pin torch and the libraries behind NumPy to one thread, for the rest of the process.

    Those that are not imported yet read the environment when they are.
    """
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    threadpool_limits(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
