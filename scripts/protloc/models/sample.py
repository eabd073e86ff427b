"""A few fields of a few proteins, from a mirror's folder or a study's raw files: the same ones each time."""

from __future__ import annotations

import logging
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protloc.errors import InputError
from protloc.images import decode_field
from protloc.opencell import PREFIX, parse_key

PER_PROTEIN = 3


class LabelledField(NamedTuple):
    """A field's tagged protein and its counts, uint16 (2, height, width)."""

    gene: str
    pixels: np.ndarray


def sample_fields(place: str, count: int) -> list[LabelledField]:
    """About `count` fields, two or three of each protein, of proteins evenly spread over the alphabet.

    `place` is a folder with the bucket's keys, or the name of a study whose files are below data/. Fields
    that cannot be decoded are passed over with a warning. Raises InputError where there are too few.
    """
    by_gene = _fields_by_gene(_root(place))
    genes = sorted(gene for gene, fields in by_gene.items() if len(fields) > 1)
    wanted = max(2, count // PER_PROTEIN)
    if len(genes) < 2:
        raise InputError(f"{place}: needs two proteins with two fields each; found {len(genes)}")
    spread = sorted({genes[i * len(genes) // wanted] for i in range(wanted)})
    return [field for gene in spread for field in _decoded(gene, by_gene[gene][:PER_PROTEIN])]


def _root(place: str) -> Path:
    candidates = (Path(place), Path("data") / place / "raw", Path("data") / place / "mirror")
    root = next((path for path in candidates if (path / PREFIX).is_dir()), None)
    if root is None:
        raise InputError(
            f"{place}: neither a folder with {PREFIX} below it nor a study with files below data/"
        )
    return root


def _fields_by_gene(root: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted((root / PREFIX).glob("*/*.tif")):
        name = parse_key(path.relative_to(root).as_posix())
        if name and name.kind == "proj":
            found[name.gene].append(path)
    return found


def _decoded(gene: str, paths: list[Path]) -> list[LabelledField]:
    fields = []
    for path in paths:
        try:
            fields.append(LabelledField(gene, decode_field(path.read_bytes(), path.name)))
        except InputError as error:
            logging.warning("passed over: %s", error)
    return fields
