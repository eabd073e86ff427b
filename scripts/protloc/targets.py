"""What a classifier should say of each protein, and how much each class counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

GRADES = (3, 2, 1)


def targets(
    split: pd.DataFrame,
    classes: Sequence[str],
    proteins: pd.DataFrame | None = None,
    soft: Mapping[int, float] | None = None,
) -> dict[str, np.ndarray]:
    """The target of each protein of a split by gene, float32 (classes,): 1 for its labels, 0 for others.

    With `soft`, a probability by grade, each localization that `proteins` lists for the gene has that of its
    grade, among them such as the label policy leaves out.
    """
    labels = split.drop_duplicates("gene").set_index("gene")["labels"]
    if soft is None:
        found = {of_some: np.isin(classes, of_some).astype(np.float32) for of_some in set(labels.map(tuple))}
        return {gene: found[tuple(of_one)] for gene, of_one in labels.items()}
    graded = proteins.set_index("gene").loc[labels.index]
    found = {gene: np.zeros(len(classes), np.float32) for gene in labels.index}
    for gene, protein in graded.iterrows():
        for grade in reversed(GRADES):
            found[gene][np.isin(classes, list(protein[f"grade_{grade}"]))] = soft[grade]
    return found


def balancing(targets: np.ndarray) -> np.ndarray:
    """Weights (classes,) that let every class that `targets` (fields, classes) has count the same in all.

    They are 1 on average; a class without targets has 0.
    """
    sizes = targets.sum(axis=0)
    return np.divide(sizes.sum(), sizes * (sizes > 0).sum(), out=np.zeros(len(sizes)), where=sizes > 0)
