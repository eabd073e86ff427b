"""OpenCell's conventions: the names of its files, the columns and classes of its label table.

Read from the bucket `czb-opencell` and the label table of opencell.czbiohub.org (Cho et al. 2022).
"""

from __future__ import annotations

import re
from typing import NamedTuple

BUCKET = "s3://czb-opencell"
PREFIX = "microscopy/raw/"
FIELDS, PROTEINS = 6301, 1310  # projections in the bucket, and what they are of
FIELD_PX, FIELD_BYTES, PIXEL_SIZE_UM = 600, 1_443_000, 0.206349  # of each: side, file, µm per px
ANNOTATIONS = "opencell-localization-annotations.csv"
COLUMNS = ("target_name", "ensg_id", "annotations_grade_3", "annotations_grade_2", "annotations_grade_1")
GRADES = {3: "annotations_grade_3", 2: "annotations_grade_2", 1: "annotations_grade_1"}
CLASSES = (
    "cytoplasmic",
    "nucleoplasm",
    "vesicles",
    "membrane",
    "nuclear_punctae",
    "er",
    "chromatin",
    "golgi",
    "nucleolus_gc",
    "centrosome",
    "big_aggregates",
    "cell_contact",
    "cytoskeleton",
    "nuclear_membrane",
    "nucleolus_fc_dfc",
    "mitochondria",
    "focal_adhesions",
)

_KEY = re.compile(
    PREFIX + r"(?P<gene>[A-Za-z0-9][A-Za-z0-9.-]*)_(?P<ensg_id>ENSG\d{11})"
    r"/OC-FOV_(?P=gene)_(?P=ensg_id)_(?P<line_id>CID\d{6})_(?P<fov_id>FID\d{8})_(?P<kind>proj|stack)\.tif"
)


class FieldName(NamedTuple):
    """What the key of a field of view says: gene, ENSG…, CID…, FID…, and `proj` or `stack`."""

    gene: str
    ensg_id: str
    line_id: str
    fov_id: str
    kind: str


def parse_key(key: str) -> FieldName | None:
    """What an object's key says, or None where it does not follow the bucket's grammar.

    A key that does cannot lead out of the folder that it is put below.
    """
    match = _KEY.fullmatch(key)
    return FieldName(**match.groupdict()) if match else None
