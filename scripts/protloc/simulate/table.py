"""A label table of invented proteins that is distributed like OpenCell's.

`cooccurrence.csv` holds facts counted in OpenCell's label table (Cho et al. 2022, opencell.czbiohub.org): of
the proteins with `label` at grade 3, how many have `other` at grade 3, 2 and 1. Where both are equal, grade_3
is the number of such proteins; where `other` is empty, of those with no other label of grade 3.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from protloc.atomic import atomic
from protloc.opencell import COLUMNS
from protloc.simulate.patterns import CLASSES

COUNTS = Path(__file__).with_name("cooccurrence.csv")
SINGLE_AT_LEAST = 0.6  # so that at least half of each class keeps one grade-3 label
MOST_LABELS = {3: 4, 2: 3, 1: 3}  # the most that a real protein has at a grade


@dataclass(frozen=True)
class Protein:
    """An invented protein: its number and the grade (3, 2 or 1) of each localization, primary first."""

    index: int
    grades: dict[str, int]

    @property
    def gene(self) -> str:
        """A name that no gene has."""
        return f"SIM{self.index + 1:04d}"

    @property
    def ensg_id(self) -> str:
        """An id that Ensembl has not given."""
        return f"ENSG999{self.index + 1:08d}"


def draw_protein(index: int, rng: np.random.Generator) -> Protein:
    """The protein of this number; its class is number modulo 17, so a larger table extends a smaller one."""
    primary = CLASSES[index % len(CLASSES)]
    counts = _counts()[primary]
    rank, share = index // len(CLASSES), max(SINGLE_AT_LEAST, counts[""][3] / counts[primary][3])
    single = int((rank + 1) * share + 0.5) > int(rank * share + 0.5)
    grades = {primary: 3}
    if not single:
        extra = 1 + int(rng.choice(3, p=[0.89, 0.10, 0.01]))  # 389, 44 and 5 real ones have 1, 2, 3 more
        grades |= dict.fromkeys(_others(counts, 3, grades, extra, rng), 3)
    for grade in (2, 1):
        expected = [counts[other][grade] / counts[primary][3] for other in counts if other]
        wanted = min(int((rng.random(len(expected)) < expected).sum()), MOST_LABELS[grade])
        grades |= dict.fromkeys(_others(counts, grade, grades, wanted, rng), grade)
    return Protein(index, grades)


def write_annotations(proteins: Iterable[Protein], path: Path) -> None:
    """Write a table with OpenCell's columns; several labels of a grade are joined by `;`."""
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for protein in proteins:
            by_grade = (
                ";".join(name for name, given in protein.grades.items() if given == grade)
                for grade in (3, 2, 1)
            )
            writer.writerow([protein.gene, protein.ensg_id, *by_grade])


def _others(
    counts: dict[str, dict[int, int]],
    grade: int,
    taken: dict[str, int],
    number: int,
    rng: np.random.Generator,
) -> list[str]:
    """Up to `number` labels not yet taken, drawn as often as they go with the primary one at this grade."""
    names = [name for name in counts if name and name not in taken and counts[name][grade]]
    weights = np.array([counts[name][grade] for name in names], float)
    number = min(number, len(names))
    return list(rng.choice(names, number, replace=False, p=weights / weights.sum())) if number else []


@lru_cache(maxsize=1)
def _counts() -> dict[str, dict[str, dict[int, int]]]:
    """By label, other label and grade: the number of real proteins."""
    table: dict[str, dict[str, dict[int, int]]] = {name: {} for name in CLASSES}
    with COUNTS.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            numbers = {grade: int(row[f"grade_{grade}"] or 0) for grade in (3, 2, 1)}
            table[row["label"]][row["other"]] = numbers
    return table
