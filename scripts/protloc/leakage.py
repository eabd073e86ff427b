"""The check that nothing lies on two sides of a split, made where splits are made and where they are used."""

from __future__ import annotations

import pandas as pd

from protloc.errors import InputError

GROUPS = {"protein": "gene", "fov": "fov_id"}


def check_no_leak(split: pd.DataFrame, unit: str, name: str) -> None:
    """Raise InputError if, under any seed, one `unit` has fields in more than one part of the split."""
    parts = split.groupby(["seed", GROUPS[unit]], sort=True)["part"].nunique()
    leaks = parts[parts > 1]
    if len(leaks):
        seed, group = leaks.index[0]
        raise InputError(
            f"{name}: {GROUPS[unit]} {group} lies in several parts under seed {seed} ({len(leaks)} leaks in "
            f"all); make the split again"
        )
