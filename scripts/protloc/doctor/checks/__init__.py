"""The checks, in the order in which they are shown. Each is a file of its own."""

from __future__ import annotations

from protloc.doctor.checks import (
    clock,
    cores,
    cuda,
    data,
    files,
    gpus,
    memory,
    network,
    scratch,
    shared,
    space,
    versions,
    weights,
)
from protloc.doctor.finding import Check

HERE: tuple[Check, ...] = (
    versions.CHECK,
    cuda.CHECK,
    weights.CHECK,
    data.CHECK,
    shared.CHECK,
    space.CHECK,
    scratch.CHECK,
    network.CHECK,
)
ON_A_NODE: tuple[Check, ...] = (
    gpus.CHECK,
    cuda.CHECK,
    cores.CHECK,
    memory.CHECK,
    scratch.CHECK,
    shared.CHECK,
    files.CHECK,
    clock.CHECK,
    versions.CHECK,
    network.CHECK,
)
