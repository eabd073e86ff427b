"""Sets of labels as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def indicators(labels: Iterable[Sequence[str]], classes: Sequence[str]) -> np.ndarray:
    """Which of `classes` each row names: bool (rows, classes); names that are not among them do not count.

    As scikit-learn's MultiLabelBinarizer, which takes longer to import than a small step to run. The few sets
    are looked up once.
    """
    places: dict[tuple[str, ...], int] = {}
    rows = [places.setdefault(tuple(names), len(places)) for names in labels]
    sets = [[name in names for name in classes] for names in places]
    return np.array(sets, dtype=bool).reshape(len(sets), len(classes))[rows]
