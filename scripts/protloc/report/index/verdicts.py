"""The table of verdicts: what was published, ours beside it, and what to make of the difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from protloc.config.published import Claim
from protloc.report.index.study import Names

BY = [
    "task",
    "backbone",
    "strategy",
    "other_task",
    "other_backbone",
    "other_strategy",
    "split_unit",
    "label_policy",
]
SIGN = {"above": "as published", "below": "the other way round", "within": "undecided"}


def verdict_rows(claims: Mapping[str, Claim], published: pd.DataFrame, names: Names) -> list[dict[str, Any]]:
    """A row for each claim and each of our values of it, in the order of `claims`.

    Of values for several numbers of neighbours the smallest is shown: what is said of every k holds there.
    """
    rows = []
    for claim in claims.values():
        ours = published[published["claim"] == claim.claim]
        for _, at in ours.groupby(BY, dropna=False, sort=True):
            row = at.sort_values(["mean", "k"], na_position="last").iloc[0]
            rows.append(
                row[["mean", "low", "high", "verdict", "reason"]].to_dict()
                | {
                    "text": claim.text,
                    "source": claim.source.rpartition(", ")[2],
                    "published": _published(claim),
                }
                | {"ours": _ours(row, len(at), names), "said": _said(claim, row["verdict"])}
            )
    return rows


def _published(claim: Claim) -> str:
    if claim.compared and not claim.value:
        return "the sign alone"
    return f"{claim.value:g}" + (f" ± {claim.spread:g}" if claim.spread else "")


def _said(claim: Claim, verdict: str) -> str:
    """The verdict; on which side a difference lies is put in words, where only that was published."""
    return SIGN.get(verdict, verdict) if claim.compared and not claim.value else verdict


def _ours(row: pd.Series, numbers: int, names: Names) -> str:
    """Which of our values it is."""
    if pd.isna(row["backbone"]):
        return ""
    words = _side(row, "", names)
    if pd.notna(row["other_backbone"]):
        words += f" against {_side(row, 'other_', names)}"
    words += f"; by {row['split_unit']}, {row['label_policy']} labels"
    if pd.notna(row["k"]):
        words += f"; k = {row['k']}" + (f", the lowest of {numbers}" if numbers > 1 else "")
    return words


def _side(row: pd.Series, prefix: str, names: Names) -> str:
    side = {name: row[f"{prefix}{name}"] for name in ("backbone", "strategy")}
    return f"{names.route(side)}, {row[f'{prefix}task']}"
