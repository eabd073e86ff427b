"""What a classifier should say of each image, and how much each class counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import pandas as pd

GRADES = (3, 2, 1)


def targets(
    split: pd.DataFrame,
    classes: Sequence[str],
    proteins: pd.DataFrame | None = None,
    soft: Mapping[int, float] | None = None,
) -> dict[str, np.ndarray]:
    """The target of each image of a split by id, float32 (classes,): 1 for its labels, 0 for others.

    With `soft`, a probability by grade, each localization that `proteins` lists for the image's protein has
    that of its grade, among them such as the label policy leaves out.
    """
    if soft is not None:
        by_gene = _graded(set(split["gene"]), classes, proteins, soft)
        return {image: by_gene[gene] for image, gene in zip(split["image_id"], split["gene"], strict=True)}
    return _indicated(split, "labels", lambda names: np.isin(classes, names).astype(np.float32))


def masks(
    split: pd.DataFrame, classes: Sequence[str], soft: Mapping[int, float] | None = None
) -> dict[str, np.ndarray]:
    """The classes that are neither right nor wrong for each image of a split, by id, bool (classes,).

    None where `soft` says what is to be learned of each grade.
    """
    return _indicated(split, "masked", lambda names: np.isin(classes, names) & (soft is None))


def _indicated(
    split: pd.DataFrame, column: str, of_names: Callable[[tuple[str, ...]], np.ndarray]
) -> dict[str, np.ndarray]:
    """What `of_names` makes of the names in a column, by image; of the few sets that there are once."""
    names = split[column].map(tuple)
    found = {of_some: of_names(of_some) for of_some in set(names)}
    return {image: found[of_one] for image, of_one in zip(split["image_id"], names, strict=True)}


def _graded(
    genes: Collection[str], classes: Sequence[str], proteins: pd.DataFrame, soft: Mapping[int, float]
) -> dict[str, np.ndarray]:
    """The probabilities of each protein's localizations, by gene."""
    graded = proteins.set_index("gene").loc[sorted(genes)]
    found = {gene: np.zeros(len(classes), np.float32) for gene in graded.index}
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
