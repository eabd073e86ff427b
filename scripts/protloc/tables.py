"""Every table of the workflow: its columns, types, units and key, checked at each write and read.

This is the one place where a schema lives; the tables of the README are generated from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from protloc.errors import InputError
from protloc.flags import FLAGS

TEXT, INT, REAL, FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()
TEXTS, REALS, INTS = pa.list_(pa.string()), pa.list_(pa.float32()), pa.list_(pa.int64())
ROW_GROUP = 8192


@dataclass(frozen=True)
class Column:
    """A column: its Arrow type, what it says and whether it may be empty."""

    name: str
    type: pa.DataType
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """A kind of table: what one row is, which columns identify it, and all columns in order."""

    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, without the data's own metadata."""
        return pa.schema([pa.field(column.name, column.type, column.nullable) for column in self.columns])


GENE = Column("gene", TEXT, "name of the tagged protein, as in the label table")
FOV_ID = Column("fov_id", TEXT, "field of view, `FID` and eight digits; the same for ever")
CELL_ID = Column("cell_id", TEXT, "its field of view, a hyphen and its number there, four digits")
IMAGE_ID = Column("image_id", TEXT, "what is embedded: the fov_id of a field, the cell_id of a cell")
STRATEGY = Column("strategy", TEXT, "channel strategy; `none` where channels are used as they are")
SCALE = Column("scale", REAL, "px per µm at which images are shown; 1: as the backbone's row says")
VECTOR = Column("vector", REALS, "the embedding; its length is the backbone's")
RUN = (
    Column("split_unit", TEXT, "what is never on two sides: `protein`, `fov`, or `cell`"),
    Column("label_policy", TEXT, "which labels count: `single` (one grade-3 label) or `multi`"),
    Column("fraction", REAL, "share of the training part that was asked for, 0 to 1; 1 under few-shot"),
    Column("shots", INT, "proteins (or fields) per class trained on, few-shot; 0: `fraction` says how many"),
    Column("seed", INT, "seed of the split, of its fractions and of the run"),
)
RUN_NAMES = tuple(column.name for column in RUN)
SETTING = RUN_NAMES[:-1]  # what seeds share
SUBSET = Column("subset", TEXT, "`validation`, on which choices are made, or `test`, which is reported")
TRAINED_ON = (
    Column("groups_trained", INT, "proteins in the training part"),
    Column("images_trained", INT, "fields, or cells, in the training part"),
    Column("labels_trained", INT, "labels in use: pairs of a protein and a class, in training or validation"),
)
MASKED = Column("masked", TEXTS, "classes neither right nor wrong for it, sorted: `splits.lower_grades`")
ANNOTATED = Column("annotated", TEXTS, "localizations that its protein has at any grade, sorted")
CLEAN = Column("clean", FLAG, "its protein has one grade-3 localization and no other of any grade")
K = Column("k", INT, "number of neighbours, where there are any", nullable=True)
ROUTE = (
    Column("task", TEXT, "the head of a probe, `finetune`, `finetune_epoch_0`, `knn` or `knn_weighted`"),
    Column("level", TEXT, "what a vector stands for: `fov` or `cell`"),
    Column("backbone", TEXT, "name in `config/backbones.yaml`"),
    STRATEGY,
    SCALE,
)

TABLES = {
    "fovs": Table(
        "a field of view",
        ("fov_id",),
        (
            Column(
                "fov_id", TEXT, "`FID` and eight digits; the key, where a file's name gives no id of its own"
            ),
            Column("gene", TEXT, "tagged protein in the file's name; empty if the name is wrong", True),
            Column("ensg_id", TEXT, "Ensembl gene id in the file's name", True),
            Column("line_id", TEXT, "cell line, `CID` and six digits", True),
            Column("key", TEXT, "name in the object store, and below `data/{study}/raw/`"),
            Column("size_bytes", INT, "length of the file, bytes"),
            Column("sha256", TEXT, "digest of the file; empty if it was not fetched", True),
            Column("height", INT, "px; empty if the field is bad", nullable=True),
            Column("width", INT, "px; empty if the field is bad", nullable=True),
            Column("pixel_size_um", REAL, "µm per px"),
            Column("status", TEXT, "`ok`, or `bad`: left out of everything that follows"),
            Column("problem", TEXT, "what is wrong with it, if anything", nullable=True),
        ),
    ),
    "proteins": Table(
        "a protein of the label table",
        ("gene",),
        (
            GENE,
            Column("ensg_id", TEXT, "Ensembl gene id in the label table"),
            Column("grade_3", TEXTS, "very prominent localizations, sorted"),
            Column("grade_2", TEXTS, "unambiguous, less prominent localizations, sorted"),
            Column("grade_1", TEXTS, "weak localizations, sorted"),
            Column("fovs", INT, "number of its good fields of view"),
            Column("problem", TEXT, "no images, or an id that differs in the file names", nullable=True),
        ),
    ),
    "segmented": Table(
        "a field of view in which nuclei were looked for",
        ("fov_id",),
        (
            FOV_ID,
            Column("nuclei", INT, "number found, count"),
            Column("kept", INT, "number that no excluding flag leaves out, count"),
            Column("problem", TEXT, "what makes its cells doubtful, if anything", nullable=True),
        ),
    ),
    "cells": Table(
        "a cell: a nucleus and what is around it",
        ("cell_id",),
        (
            CELL_ID,
            FOV_ID,
            GENE,
            Column("label", INT, "its number in the field, 1 and up"),
            Column("row", INT, "its row in the crop store, 0 and up"),
            Column("top", INT, "first row of the stored crop in its field, px; negative where that ends"),
            Column("left", INT, "first column of the stored crop in its field, px"),
            Column("bottom", INT, "row after the crop's last, px"),
            Column("right", INT, "column after the crop's last, px"),
            Column("field_height", INT, "of its field, px"),
            Column("field_width", INT, "of its field, px"),
            Column("padded_fraction", REAL, "share of its crop of `cells.crop_um` beyond the field, 0 to 1"),
            Column("pixel_size_um", REAL, "of the field, µm per px"),
            Column("background_nucleus", INT, "1st percentile of the field's nucleus channel, counts"),
            Column("background_protein", INT, "the same of its protein channel, counts"),
            Column("y_px", REAL, "centroid of the nucleus, rows from the field's top, px"),
            Column("x_px", REAL, "centroid of the nucleus, columns from the field's left, px"),
            Column("y_um", REAL, "the same, µm"),
            Column("x_um", REAL, "the same, µm"),
            Column("nucleus_area_um2", REAL, "area of the nucleus, µm²"),
            Column("cell_area_um2", REAL, "area nearer to this nucleus than to others, within reach, µm²"),
            Column("nucleus_counts", REAL, "mean nucleus channel in the nucleus, above background, counts"),
            Column("protein_counts", REAL, "mean protein channel in the cell, above background, counts"),
            Column("protein_counts_nucleus", REAL, "the same in the nucleus, counts"),
            *(Column(flag, FLAG, meaning) for flag, meaning in FLAGS.items()),
            Column("kept", FLAG, "none of the flags in `cells.exclude` is set: it is embedded"),
        ),
    ),
    "cell_labels": Table(
        "a cell's localization under a label policy",
        ("label_policy", "cell_id"),
        (
            Column("label_policy", TEXT, "`single`: of its protein, weak; or `hand`: of a person"),
            CELL_ID,
            FOV_ID,
            GENE,
            Column("label", TEXT, "localization"),
        ),
    ),
    "embeddings": Table(
        "a field of view with its vector",
        ("strategy", "scale", "fov_id"),
        (STRATEGY, SCALE, FOV_ID, VECTOR),
    ),
    "cell_embeddings": Table(
        "a cell with its vector", ("strategy", "scale", "cell_id"), (STRATEGY, SCALE, CELL_ID, VECTOR)
    ),
    "curve": Table(
        "an epoch of a pretraining; epoch 0 is before it",
        ("epoch",),
        (
            Column("epoch", INT, "passes over the images so far"),
            Column("step", INT, "steps of the optimizer so far"),
            Column("loss", REAL, "mean over the epoch, nats; below ln K of K prototypes", nullable=True),
            Column(
                "teacher_entropy", REAL, "of its targets, mean over the epoch, nats: 0 to ln K", nullable=True
            ),
            Column("knn_accuracy", REAL, "of held-out fields, neighbours of other held-out proteins, 0 to 1"),
            Column("variation", REAL, "of the held-out fields' vectors: 0, all point the same way, to 1"),
        ),
    ),
    "pretraining_images": Table(
        "a good field of view in a study that pretrains a network",
        ("fov_id",),
        (
            Column("backbone", TEXT, "the network, by its name in `config/backbones.yaml`"),
            FOV_ID,
            GENE,
            Column(
                "role",
                TEXT,
                "`pretrained`: seen in pretraining, without its label; `held_out`: for the curve; "
                "`excluded`: tested by the split of `pretraining.exclude`",
            ),
        ),
    ),
    "attention": Table(
        "where in a field of view a network's vector comes from",
        ("backbone", "strategy", "fov_id"),
        (
            *ROUTE[2:4],
            FOV_ID,
            Column("label", TEXT, "the protein's first very prominent localization, or `none`"),
            Column(
                "kind", TEXT, "attention of the `class_token` or of the `pool`; or `similarity` to the vector"
            ),
            Column("height", INT, "places from top to bottom: patches, or cells of the last features"),
            Column("width", INT, "places from left to right"),
            Column("places", REALS, "row by row; attention: 1 where it is even; similarity: cosine"),
        ),
    ),
    "splits": Table(
        "an image under one seed",
        ("seed", "image_id"),
        (
            Column("seed", INT, "seed of the split and of its fractions"),
            IMAGE_ID,
            FOV_ID,
            GENE,
            Column("labels", TEXTS, "the labels that the policy keeps, sorted"),
            MASKED,
            ANNOTATED,
            CLEAN,
            Column("part", TEXT, "`train`, `validation` or `test`"),
            Column("fraction", REAL, "smallest fraction that holds it; empty: none, and in test", True),
            Column("shots", INT, "smallest number of shots that holds it; empty as fraction", True),
        ),
    ),
    "predictions": Table(
        "a prediction for an image that was not trained on",
        ("strategy", "scale", *RUN_NAMES, "subset", "image_id"),
        (
            STRATEGY,
            SCALE,
            *RUN,
            SUBSET,
            IMAGE_ID,
            FOV_ID,
            GENE,
            Column("truth", TEXTS, "labels that the policy keeps, sorted"),
            MASKED,
            ANNOTATED,
            CLEAN,
            Column("predicted", TEXTS, "labels predicted, sorted"),
            Column("classes", TEXTS, "classes of the run, in the order of `probabilities`"),
            Column("probabilities", REALS, "one per class: of a softmax (`single`) or of sigmoids (`multi`)"),
            Column("thresholds", REALS, "one per class under `multi`, chosen on validation; else none"),
            *TRAINED_ON,
        ),
    ),
    "neighbours": Table(
        "a cell as a query for its nearest neighbours",
        ("strategy", "scale", "label_policy", "apart", "seed", "cell_id"),
        (
            STRATEGY,
            SCALE,
            Column("label_policy", TEXT, "as in cell_labels"),
            Column("apart", TEXT, "what a neighbour may not share with it: `protein`, `fov` or `cell`"),
            Column("seed", INT, "seed of the draw of cells"),
            CELL_ID,
            GENE,
            FOV_ID,
            Column("padded_fraction", REAL, "share of the crop that the backbone is shown beyond its field"),
            Column("truth", TEXT, "its label"),
            Column("k", INTS, "numbers of neighbours that vote, ascending"),
            Column("plain", TEXTS, "for each k: the label of most of them"),
            Column("weighted", TEXTS, "for each k: the same, weighted by exp(similarity / temperature)"),
            Column("nearest", TEXTS, "cell_id of up to ten neighbours, near to far"),
            Column("similarity", REALS, "cosine of each of these, -1 to 1"),
        ),
    ),
    "metrics": Table(
        "a metric of a run",
        (*(column.name for column in (*ROUTE, *RUN)), "subset", "k", "metric"),
        (
            *ROUTE,
            *RUN,
            SUBSET,
            K,
            Column("metric", TEXT, "README: metrics; `protein_…`: after averaging a protein's images"),
            Column("value", REAL, "0 to 1; `padded_cells`, `unpadded_cells`: number"),
            *TRAINED_ON,
        ),
    ),
    "summary": Table(
        "a metric over the seeds of a setting",
        (*(column.name for column in ROUTE), *SETTING, "subset", "k", "metric"),
        (
            *ROUTE,
            *RUN[:-1],
            SUBSET,
            K,
            Column("metric", TEXT, "as in metrics"),
            Column("runs", INT, "number of seeds"),
            Column("mean", REAL, "mean over seeds"),
            Column("sd", REAL, "standard deviation over seeds, n - 1; empty for one seed", nullable=True),
            Column("low", REAL, "2.5 % bound of a bootstrap over proteins"),
            Column("high", REAL, "97.5 % bound of a bootstrap over proteins"),
            *(Column(of.name, REAL, f"{of.meaning}; mean over seeds") for of in TRAINED_ON),
        ),
    ),
    "comparisons": Table(
        "a paired difference of two routes at a setting, on the test parts of the same splits",
        (
            *(column.name for column in ROUTE),
            "other_task",
            "other_backbone",
            "other_strategy",
            "other_scale",
            *SETTING,
            "k",
            "metric",
        ),
        (
            Column("compared", TEXT, "what differs: `backbone`, `strategy`, `scale`, or `training`"),
            *ROUTE,
            Column("other_task", TEXT, "the same of the other side; differs under `training` alone"),
            Column("other_backbone", TEXT, "as backbone"),
            Column("other_strategy", TEXT, "as strategy; differs also where one side has none"),
            Column("other_scale", REAL, "as scale"),
            *RUN[:-1],
            K,
            Column("metric", TEXT, "`macro_f1` or `protein_macro_f1`"),
            Column("runs", INT, "number of seeds that both sides have"),
            Column("missing", INT, "number of seeds that one side lacks: they are left out"),
            Column("proteins", INT, "number of proteins tested in these seeds"),
            Column("difference", REAL, "this side minus the other, mean over seeds; empty for none", True),
            Column("sd", REAL, "standard deviation of it over seeds, n - 1; empty for one seed", True),
            Column("low", REAL, "2.5 % bound, both sides in the same draws; empty for one protein", True),
            Column("high", REAL, "97.5 % bound, as low", nullable=True),
            Column("p", REAL, "two-sided, from the standard deviation over draws; empty as low", True),
            Column(
                "p_holm",
                REAL,
                "p after Holm's correction among all rows of its task, setting and metric",
                True,
            ),
        ),
    ),
    "enough": Table(
        "how much labelled data is enough for a route: fractions alone, on the test part",
        (*(column.name for column in (*ROUTE, *RUN[:2])), "metric"),
        (
            *ROUTE,
            *RUN[:2],
            Column("metric", TEXT, "as in summary"),
            Column("fractions", INT, "number of fractions that were tried"),
            Column("full", REAL, "mean at the full data; empty if that was not tried", nullable=True),
            Column("fraction", REAL, "the smallest whose interval reaches it; empty as full", nullable=True),
            Column("mean", REAL, "its mean over seeds", nullable=True),
            Column("low", REAL, "its 2.5 % bound, as in summary", nullable=True),
            Column("high", REAL, "its 97.5 % bound", nullable=True),
        ),
    ),
    "published": Table(
        "a published claim beside one of the study's values, or beside none",
        (
            "claim",
            *(
                name
                for side in ("", "other_")
                for name in (f"{side}task", f"{side}backbone", f"{side}strategy")
            ),
            *("split_unit", "label_policy", "k"),
        ),
        (
            Column("claim", TEXT, "name in `config/published.csv`, which has its words"),
            Column("level", TEXT, "`fov` or `cell`"),
            Column("compared", TEXT, "empty: a score; else what differs, as in comparisons", nullable=True),
            Column("published", REAL, "macro F1, or difference of it; 0 where only its sign was published"),
            Column("spread", REAL, "standard deviation as published; 0: none was"),
            Column("source", TEXT, "where it was published"),
            *(
                Column(column.name, TEXT, "of the study's value; empty: it has none", True)
                for column in ROUTE
                if column.name not in ("level", "scale")
            ),
            Column("other_task", TEXT, "of the other side of a difference", nullable=True),
            Column("other_backbone", TEXT, "the same", nullable=True),
            Column("other_strategy", TEXT, "the same", nullable=True),
            Column("split_unit", TEXT, "of the study's value", nullable=True),
            Column("label_policy", TEXT, "the same", nullable=True),
            K,
            Column("runs", INT, "number of seeds", nullable=True),
            Column(
                "mean", REAL, "the study's value, all of the labelled data, mean over seeds", nullable=True
            ),
            Column("low", REAL, "2.5 % bound of a bootstrap over proteins", nullable=True),
            Column("high", REAL, "97.5 % bound", nullable=True),
            Column("verdict", TEXT, "`within`, `above`, `below` (ours beside theirs) or `not comparable`"),
            Column("reason", TEXT, "why not comparable, or with what reserve; may be empty text"),
        ),
    ),
}


def write_table(name: str, frame: pd.DataFrame, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write `frame` as the table `name`, rows sorted by its key: equal content, equal bytes.

    Raises InputError for a missing or unknown column, a wrong type, an empty value where none may be, or a
    key that occurs twice.
    """
    arrow = ordered(name, frame, path).replace_schema_metadata(metadata)
    pq.write_table(arrow, path, compression="zstd", row_group_size=ROW_GROUP)


def write_tables(name: str, parts: Iterable[pa.Table], path: Path) -> None:
    """Write tables that `write_table` made as one: a row group each, of which one at a time is in memory.

    Raises InputError if the keys of one are not after those of the one before.
    """
    key, last = list(TABLES[name].key), ()
    with pq.ParquetWriter(path, TABLES[name].schema, compression="zstd") as writer:
        for part in parts:
            first, end = _ends(part.select(key))
            if last and first <= last:
                raise InputError(f"{path}: {name}: {first} is not after {last}; run again")
            writer.write_table(part.replace_schema_metadata(None))
            last = end


def _ends(table: pa.Table) -> list[tuple]:
    """The first and the last row."""
    return [tuple(table.slice(place, 1).to_pylist()[0].values()) for place in (0, len(table) - 1)]


def ordered(name: str, frame: pd.DataFrame, path: Path) -> pa.Table:
    """The rows of a frame as the table `name`, sorted by its key and checked as `write_table` does."""
    table = TABLES[name]
    expected = [column.name for column in table.columns]
    if sorted(frame.columns) != sorted(expected):
        raise InputError(
            f"{path}: columns of {name} are {sorted(frame.columns)}, expected {sorted(expected)}"
        )
    if frame.duplicated(list(table.key)).any():
        twice = frame.loc[frame.duplicated(list(table.key)), list(table.key)].iloc[0].to_dict()
        raise InputError(f"{path}: {name} has two rows with {twice}")
    for column in table.columns:
        empty = int(frame[column.name].isna().sum())
        if empty and not column.nullable:
            raise InputError(f"{path}: {name}.{column.name} is empty in {empty} rows")
    ordered = frame[expected].sort_values(list(table.key), kind="stable")
    try:
        arrow = pa.Table.from_pandas(ordered, schema=table.schema, preserve_index=False, safe=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(f"{path}: {name} does not fit its schema: {error}") from error
    return arrow.replace_schema_metadata(None)


def read_table(
    name: str,
    path: Path | str,
    columns: Sequence[str] | None = None,
    where: Mapping[str, str | float] | None = None,
) -> pd.DataFrame:
    """The table `name` as a frame, some of its columns, or the rows that have the values of `where`.

    Row groups without such a row are not read. Raises InputError if the file is damaged or of another kind.
    """
    wanted = [column for column in TABLES[name].columns if columns is None or column.name in columns]
    only = [(column, "==", value) for column, value in (where or {}).items()]
    try:
        arrow = pq.read_table(path, columns=columns and list(columns), filters=only or None)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a readable {name} table ({error}); delete it and run again") from error
    fields = {field.name: field.type for field in arrow.schema}
    if fields != {column.name: column.type for column in wanted}:
        raise InputError(f"{path}: not a {name} table: its columns are {fields}")
    frame = arrow.replace_schema_metadata(None).to_pandas()
    whole = [column.name for column in wanted if column.nullable and column.type == INT]
    return frame.astype(dict.fromkeys(whole, "Int64"))  # pandas would make floats of them


def empty_table(name: str) -> pd.DataFrame:
    """The table `name` without rows, as a study has it that lacks what it is about."""
    return TABLES[name].schema.empty_table().to_pandas()
