"""`proteins.parquet`: the label table, checked, and how it agrees with the images."""

from __future__ import annotations

import csv
import logging
from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd

from protloc.errors import InputError
from protloc.opencell import COLUMNS, GRADES


def read_labels(path: Path, classes: Collection[str]) -> pd.DataFrame:
    """A row per protein: gene, ensg_id, grade_3, grade_2, grade_1 (sorted lists of classes).

    Raises InputError, with file and line, for a missing column, an unknown class, a protein that is listed
    twice, or a class that a protein has twice.
    """
    rows = [_protein(path, number, row, classes) for number, row in _lines(path)]
    proteins = pd.DataFrame(rows, columns=["gene", "ensg_id", "grade_3", "grade_2", "grade_1"])
    twice = proteins.loc[proteins["gene"].duplicated(), "gene"]
    if len(twice):
        raise InputError(f"{path}: target_name: {twice.iloc[0]} is listed twice; keep one row")
    return proteins


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise InputError(f"{path}: column {missing[0]} is missing; expected {', '.join(COLUMNS)}")
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable label table ({error})") from error


def _protein(path: Path, line: int, row: dict[str, str | None], classes: Collection[str]) -> dict:
    if any(row[column] is None for column in COLUMNS) or not row["target_name"]:
        raise InputError(f"{path}: line {line}: has fewer values than columns, or no target_name")
    by_grade = {grade: _split(row[column]) for grade, column in GRADES.items()}
    every = [label for labels in by_grade.values() for label in labels]
    for grade, labels in by_grade.items():
        unknown = [label for label in labels if label not in classes]
        if unknown:
            raise InputError(
                f"{path}: line {line}: {GRADES[grade]}: {unknown[0]} is not a known class; "
                f"allowed: {', '.join(classes)}"
            )
    twice = [label for label in every if every.count(label) > 1]
    if twice:
        raise InputError(f"{path}: line {line}: {row['target_name']} has {twice[0]} twice; keep one grade")
    grades = {f"grade_{grade}": sorted(labels) for grade, labels in by_grade.items()}
    return {"gene": row["target_name"], "ensg_id": row["ensg_id"], **grades}


def _split(text: str) -> list[str]:
    return [label for part in text.split(";") if (label := part.strip())]


def match(proteins: pd.DataFrame, fovs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Proteins with their number of good fields, and fields, each disagreement noted as its `problem`.

    Fields and proteins are joined on the gene name; an Ensembl id that differs is reported, not corrected.
    """
    known = dict(zip(proteins["gene"], proteins["ensg_id"], strict=True))
    fovs, good = fovs.copy(), fovs["status"] == "ok"
    unknown = good & ~fovs["gene"].isin(known.keys())
    differs = good & ~unknown & (fovs["gene"].map(known) != fovs["ensg_id"])
    fovs.loc[unknown, "problem"] = "the label table has no such protein: it is embedded, not evaluated"
    fovs.loc[differs, "problem"] = [
        f"the label table says {known[gene]}" for gene in fovs.loc[differs, "gene"]
    ]
    counts = fovs.loc[good, "gene"].value_counts()
    other = (
        fovs[differs].groupby("gene")["ensg_id"].agg(lambda ids: "files say " + ", ".join(sorted(set(ids))))
    )
    proteins = proteins.assign(fovs=proteins["gene"].map(counts).fillna(0).astype(int))
    noted = dict.fromkeys(proteins.loc[proteins["fovs"] == 0, "gene"], "no good images") | other.to_dict()
    proteins["problem"] = [noted.get(gene) for gene in proteins["gene"]]
    _report(proteins, fovs, unknown, differs)
    return proteins, fovs


def _report(proteins: pd.DataFrame, fovs: pd.DataFrame, unknown: pd.Series, differs: pd.Series) -> None:
    without = proteins.loc[proteins["fovs"] == 0, "gene"]
    for what, genes in (
        ("proteins of the label table have no good images", without),
        ("fields are of proteins that the label table lacks", fovs.loc[unknown, "gene"]),
        ("fields have another Ensembl id than the label table", fovs.loc[differs, "gene"]),
    ):
        if len(genes):
            logging.warning("%d %s, e.g. %s", len(genes), what, ", ".join(sorted(set(genes))[:5]))
    logging.info("%d fields, %d proteins", len(fovs), int((proteins["fovs"] > 0).sum()))
