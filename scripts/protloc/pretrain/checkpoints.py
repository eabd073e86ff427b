"""An epoch's end as a file, from which a killed run goes on as if nothing had happened."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from protloc.atomic import atomic

NAME = "latest.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint in `folder`; `state` holds tensors, numbers, texts, lists and mappings."""
    with atomic(folder / NAME) as temporary:
        torch.save(state, temporary)


def restore(folder: Path, identity: str) -> dict[str, Any] | None:
    """The checkpoint in `folder`, on the CPU, if there is one of the run `identity`; otherwise None.

    One that is damaged or belongs to other settings, data or code is left aside, and that is logged.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["identity"] == identity:
            return state
        logging.warning("%s: of another run; starting anew", path)
    except Exception as error:  # a damaged file raises whatever its damaged bytes lead to
        logging.warning("%s: not readable (%s); starting anew", path, str(error).partition("\n")[0])
    return None
