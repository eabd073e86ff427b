"""`config/published.csv`: what was published, to be put beside what a study finds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from protloc.config.rows import read_rows
from protloc.config.settings import LabelPolicy, Name, Settings, SplitUnit, Strategy
from protloc.modules import SCRIPTS

PUBLISHED = SCRIPTS.parent / "config/published.csv"
NUMBERS = ("value", "spread")


class Claim(Settings):
    """A row: a score, or what one side scores more than the other. What is empty was not published, or any.

    A difference without a published size has the value 0: what counts is on which side of it ours lies.
    """

    claim: Name
    text: str
    level: Literal["fov", "cell"]
    task: Literal["frozen", "finetune", "knn"] = Field(description="`frozen`: any head of the probe")
    backbone: Name | None
    strategy: Strategy | None
    compared: Literal["backbone", "strategy", "training"] | None = Field(description="empty: a score")
    other_backbone: Name | None = Field(description="of the other side; empty: every other")
    other_strategy: Strategy | None = Field(description="as other_backbone")
    split_unit: SplitUnit | None
    label_policy: LabelPolicy | None
    value: Annotated[float, Field(ge=-1, le=1)] = Field(description="macro F1, or difference of it")
    spread: Annotated[float, Field(ge=0, le=1)] = Field(description="standard deviation; 0: none was given")
    source: str


def read_published(path: Path = PUBLISHED) -> dict[str, Claim]:
    """The rows by name; raises InputError that names line and column for one that does not fit."""
    return read_rows(path, _parse, "claim")


def _parse(row: dict[str, str | None]) -> Claim:
    numbers = {name: float(row[name]) for name in NUMBERS if _is_number(row.get(name))}
    return Claim.model_validate(row | numbers)


def _is_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True
