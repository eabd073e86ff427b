"""A training in progress as a file, from which a killed one goes on as if nothing had happened.

The file has the safetensors format: the tensors, and as JSON all else and where each tensor belongs. So
nothing in it can run.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from protloc.atomic import atomic


def save(path: Path, identity: str, state: dict[Any, Any]) -> None:
    """Replace the checkpoint `path` of the run `identity`.

    `state` holds tensors, none of which share memory, numbers, texts, None, lists and mappings of these.
    """
    tensors: dict[str, Tensor] = {}
    facts = {"identity": identity, "state": json.dumps(_packed(state, tensors))}
    with atomic(path) as temporary:
        save_file(tensors, temporary, facts)


def restore(path: Path, identity: str) -> dict[Any, Any] | None:
    """The state in `path`, tensors on the CPU, if there is one of the run `identity`; otherwise None.

    One that is damaged or of another run is left aside, and that is logged. A tuple comes back as a list.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata()
            if facts["identity"] == identity:
                return _unpacked(json.loads(facts["state"]), file.get_tensor)
        logging.warning("%s: of another run; starting anew", path)
    except Exception as error:  # a damaged file raises whatever its damaged bytes lead to
        logging.warning("%s: not readable (%s); starting anew", path, str(error).partition("\n")[0])
    return None


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The value as JSON has it; its tensors go into `tensors`, keys of mappings keep their type."""
    if isinstance(value, Tensor):
        tensors[str(len(tensors))] = value.detach().contiguous()
        return {"tensor": str(len(tensors) - 1)}
    if isinstance(value, dict):
        return {"mapping": [[key, _packed(of_key, tensors)] for key, of_key in value.items()]}
    return [_packed(part, tensors) for part in value] if isinstance(value, list | tuple) else value


def _unpacked(value: Any, tensor: Any) -> Any:
    """What `_packed` was given."""
    if isinstance(value, list):
        return [_unpacked(part, tensor) for part in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensor(value["tensor"])
    return {key: _unpacked(of_key, tensor) for key, of_key in value["mapping"]}
