"""A mirror of OpenCell's bucket, full of simulated fields of view."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tifffile

from protloc.atomic import atomic
from protloc.errors import InputError
from protloc.opencell import ANNOTATIONS
from protloc.progress import progress
from protloc.simulate.field import render_field
from protloc.simulate.patterns import CLASSES
from protloc.simulate.table import Protein, draw_protein, write_annotations
from protloc.simulate.traits import draw_traits, of_cell_line

PIXELS_PER_UNIT = (5.0, 5.0)  # OpenCell's files say 0.2 µm, without a unit
MOST_FIELDS = 100  # per protein: two digits of the field's id
SMALLEST_FIELD = 64  # px: about one nucleus
TWO_LINES = 0.15  # share of proteins that were tagged twice
LABELS, TRAITS, LINE, FIELD = range(4)  # what a seed is for


@dataclass(frozen=True)
class View:
    """A field of view to come: its protein, its number among the protein's, and the number of all of them."""

    protein: Protein
    number: int
    of: int


def simulate_study(
    directory: Path,
    *,
    proteins_per_class: int,
    fields_per_protein: int,
    field_size: int,
    seed: int,
    workers: int,
) -> dict[str, int]:
    """Write fields and label table below `directory` as OpenCell's bucket has them; give the counts of each.

    Fields are `field_size` px square. Equal parameters give equal bytes, whatever the number of worker
    processes; a study with more proteins contains the smaller one. The label table is written last.
    Raises InputError for sizes out of range.
    """
    if not 1 <= fields_per_protein <= MOST_FIELDS:
        raise InputError(f"fields_per_protein is {fields_per_protein}; give 1 to {MOST_FIELDS}")
    if field_size < SMALLEST_FIELD or proteins_per_class < 1:
        raise InputError(f"field_size must be {SMALLEST_FIELD} px or more, proteins_per_class 1 or more")
    total = proteins_per_class * len(CLASSES)
    proteins = [draw_protein(index, generator(seed, index, LABELS)) for index in range(total)]
    views = [View(protein, n, fields_per_protein) for protein in proteins for n in range(fields_per_protein)]
    write = partial(write_view, directory=directory, size=field_size, seed=seed)
    for _ in progress(_mapped(write, views, workers), total=len(views), unit="fields"):
        pass
    write_annotations(proteins, directory / ANNOTATIONS)
    return {"classes": len(CLASSES), "proteins": len(proteins), "fields": len(views)}


def write_view(view: View, *, directory: Path, size: int, seed: int) -> None:
    """Render one field of view and write it as an ImageJ TIFF, (2, size, size) uint16, uncompressed."""
    index = view.protein.index
    line = line_of(view, seed)
    traits = of_cell_line(draw_traits(generator(seed, index, TRAITS)), generator(seed, index, LINE, line))
    field = render_field(view.protein.grades, traits, size, generator(seed, index, FIELD, view.number))
    with atomic(directory / key_of(view, line)) as temporary:
        tifffile.imwrite(
            temporary,
            field.image,
            imagej=True,
            resolution=PIXELS_PER_UNIT,
            metadata={"axes": "CYX", "mode": "grayscale"},
        )


def key_of(view: View, line: int) -> str:
    """Where a field lies in the bucket; its ids do not depend on the size of the study."""
    name = f"{view.protein.gene}_{view.protein.ensg_id}"
    line_id = 700000 + 2 * view.protein.index + line
    field_id = 70000000 + MOST_FIELDS * view.protein.index + view.number
    return f"microscopy/raw/{name}/OC-FOV_{name}_CID{line_id:06d}_FID{field_id:08d}_proj.tif"


def line_of(view: View, seed: int) -> int:
    """Which cell line of the protein the field shows: 0; or 1, in the second half if it was tagged twice."""
    tagged_twice = generator(seed, view.protein.index, LINE).random() < TWO_LINES
    return int(tagged_twice and 2 * view.number >= view.of)


def generator(seed: int, index: int, *purpose: int) -> np.random.Generator:
    """The generator of one protein for one purpose, independent of all others."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index, *purpose)))


def _mapped(write: partial, views: list[View], workers: int) -> Iterator[None]:
    if workers == 1:
        yield from map(write, views)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(write, views, chunksize=8)
