"""Rows of `cell_labels`: what each cell is under each label policy."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from protloc.errors import InputError
from protloc.labelling.answers import UNSURE, read_answers
from protloc.policies import labels_by_gene

COLUMNS = ["label_policy", "cell_id", "fov_id", "gene", "label"]


def label_cells(
    cells: pd.DataFrame,
    proteins: pd.DataFrame,
    answers: Path | None,
    *,
    classes: Collection[str],
    min_proteins: int,
) -> pd.DataFrame:
    """Rows of the `cell_labels` table: policy `single`, and `hand` where a file of `answers` is given.

    `cells` and `proteins` are the tables of those names. All rows are of kept cells: no other has a vector.
    Raises InputError for a wrong file, and where no cell gets a label.
    """
    parts = [single_labels(cells, proteins, min_proteins)]
    if answers is not None:
        parts.append(hand_labels(cells, read_answers(answers, cells, classes)))
    labels = pd.concat(parts, ignore_index=True)
    if labels.empty:
        raise InputError(
            "no cell has a label: no class has splits.min_proteins proteins with cells and one grade-3 "
            "localization; add images, lower splits.min_proteins, or give cells.labels"
        )
    return labels


def single_labels(cells: pd.DataFrame, proteins: pd.DataFrame, min_proteins: int) -> pd.DataFrame:
    """Each kept cell with its protein's localization, if that has exactly one of grade 3.

    A weak label: it is the protein's, and a single cell may look otherwise. Classes with fewer than
    `min_proteins` proteins that have kept cells are left out and reported.
    """
    kept = cells[cells["kept"]]
    with_cells = proteins[proteins["gene"].isin(kept["gene"])]
    labels = labels_by_gene(with_cells, "single", 3, min_proteins)
    labelled = kept[kept["gene"].isin(labels.keys())]
    logging.info("policy single: %d of %d kept cells get their protein's label", len(labelled), len(kept))
    label = [labels[gene][0] for gene in labelled["gene"]]
    return labelled.assign(label_policy="single", label=label)[COLUMNS]


def hand_labels(cells: pd.DataFrame, answers: Mapping[str, str]) -> pd.DataFrame:
    """Each kept cell with the class that a person gave it; those who were unsure count as not labelled.

    Labels of cells that are not kept are left out and reported, not refused: flags may exclude a cell after
    somebody has looked at it.
    """
    labelled = cells[cells["cell_id"].map(answers).fillna(UNSURE) != UNSURE]
    kept = labelled[labelled["kept"]]
    unsure = sum(answer == UNSURE for answer in answers.values())
    logging.info("policy hand: %d cells have a label, a person was unsure of %d", len(labelled), unsure)
    if len(kept) < len(labelled):
        count = len(labelled) - len(kept)
        logging.warning("policy hand: %d labelled cells are left out: cells.exclude names their flags", count)
    return kept.assign(label_policy="hand", label=kept["cell_id"].map(answers))[COLUMNS]
