"""Label policies: which of a protein's graded localizations count. None of them is called the paper's."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

HAND = "hand"  # of cells: what a person gave each of them, one label
GRADES = {1: "grade_1", 2: "grade_2", 3: "grade_3"}


def single(protein: pd.Series, min_grade: int) -> list[str]:
    """The protein's grade-3 localization if it has exactly one; otherwise none."""
    return sorted(protein["grade_3"]) if len(protein["grade_3"]) == 1 else []


def multi(protein: pd.Series, min_grade: int) -> list[str]:
    """All of the protein's localizations of at least `min_grade`."""
    return sorted(
        {label for grade, column in GRADES.items() if grade >= min_grade for label in protein[column]}
    )


POLICIES: dict[str, Callable[[pd.Series, int], list[str]]] = {"single": single, "multi": multi}


def labels_by_gene(
    proteins: pd.DataFrame, policy: str, min_grade: int, min_proteins: int
) -> dict[str, list[str]]:
    """Sorted labels of each protein that has images and, under the policy, labels of a class that is kept.

    `proteins` are rows of that table: all of them for fields, those with kept cells for cells. A class with
    fewer than `min_proteins` such proteins is left out; so are proteins that keep no label. Both are counted
    in the log.
    """
    imaged = proteins[proteins["fovs"] > 0]
    labels = {protein["gene"]: POLICIES[policy](protein, min_grade) for _, protein in imaged.iterrows()}
    sizes = Counter(label for of_one in labels.values() for label in of_one)
    rare = sorted(label for label, size in sizes.items() if size < min_proteins)
    if rare:
        listed = ", ".join(f"{label} ({sizes[label]})" for label in rare)
        logging.warning("classes left out, fewer than %d proteins: %s", min_proteins, listed)
    kept = {gene: [label for label in of_one if label not in rare] for gene, of_one in labels.items()}
    kept = {gene: of_one for gene, of_one in sorted(kept.items()) if of_one}
    logging.info("policy %s: %d of %d proteins with images keep a label", policy, len(kept), len(imaged))
    return kept


def annotations(
    proteins: pd.DataFrame, labels: Mapping[str, Sequence[str]], lower_grades: str
) -> pd.DataFrame:
    """What else is known of each protein of `labels`, by gene: columns masked, annotated, clean.

    `labels` are those of `labels_by_gene`. masked: classes that it has at a grade that does not count, which
    are neither right nor wrong; none if `lower_grades` is `negative`. annotated: its localizations at any
    grade, classes or not. clean: whether it has one of grade 3 and no other. Lists are sorted.
    """
    classes = {label for of_one in labels.values() for label in of_one}
    graded = proteins.set_index("gene").loc[list(labels), list(GRADES.values())]
    rows = []
    for gene, protein in graded.iterrows():
        given = {label for of_grade in protein for label in of_grade}
        below = sorted((given & classes) - set(labels[gene])) if lower_grades == "masked" else []
        rows.append((below, sorted(given), len(given) == len(protein["grade_3"]) == 1))
    return pd.DataFrame(rows, index=graded.index, columns=["masked", "annotated", "clean"])
