"""How proteins lie in cells: one function per localization class, one file per family.

A pattern takes the layout of a field, a random generator and the protein's traits, and gives its light,
(height, width) float32, about 1 where it is bright and 0 where it is absent.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from protloc.simulate.layout import Layout
from protloc.simulate.patterns import (
    centrosome,
    cytoplasm,
    cytoskeleton,
    er_golgi,
    membrane,
    mitochondria,
    nuclear,
    nucleoli,
    vesicles,
)
from protloc.simulate.traits import Traits

Pattern = Callable[[Layout, np.random.Generator, Traits], np.ndarray]

PATTERNS: dict[str, Pattern] = {
    "cytoplasmic": cytoplasm.cytoplasmic,
    "nucleoplasm": nuclear.nucleoplasm,
    "vesicles": vesicles.vesicles,
    "membrane": membrane.membrane,
    "nuclear_punctae": nuclear.nuclear_punctae,
    "er": er_golgi.er,
    "chromatin": nuclear.chromatin,
    "golgi": er_golgi.golgi,
    "nucleolus_gc": nucleoli.nucleolus_gc,
    "centrosome": centrosome.centrosome,
    "big_aggregates": vesicles.big_aggregates,
    "cell_contact": membrane.cell_contact,
    "cytoskeleton": cytoskeleton.cytoskeleton,
    "nuclear_membrane": nuclear.nuclear_membrane,
    "nucleolus_fc_dfc": nucleoli.nucleolus_fc_dfc,
    "mitochondria": mitochondria.mitochondria,
    "focal_adhesions": cytoskeleton.focal_adhesions,
}
CLASSES = tuple(PATTERNS)
