"""Variants of a backbone: a channel strategy at a scale, as tables, job parameters and figures name them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from protloc.tables import read_table

NO_STRATEGY = "none"  # of features, which use channels as they are
SIGN = "-x"  # between the strategy and a scale that is not the backbone's own


class Variant(NamedTuple):
    """A channel strategy and the scale at which images are shown, 1 being the backbone's own.

    At scale 2 an image has twice as many pixels per µm.
    """

    strategy: str
    scale: float = 1.0

    def __str__(self) -> str:
        return self.strategy if self.scale == 1 else f"{self.strategy}{SIGN}{self.scale:g}"

    @property
    def words(self) -> str:
        """The name in a sentence."""
        return self.strategy if self.scale == 1 else f"{self.strategy} at scale {self.scale:g}"

    @property
    def family(self) -> str:
        """The strategy, all draws of a random mapping together."""
        return re.sub(r"_\d+$", "", self.strategy)

    @property
    def columns(self) -> dict[str, str | float]:
        """The values of the columns `strategy` and `scale` of a table."""
        return self._asdict()


def parse(name: str) -> Variant:
    """The variant of a name such as `map_natural` or `map_natural-x2`."""
    strategy, _, scale = name.partition(SIGN)
    return Variant(strategy, float(scale) if scale else 1.0)


def read_scores(name: str, path: str, where: Mapping[str, str | float] | None = None) -> pd.DataFrame:
    """A table of scores as figures and page show it: with the variant's name in the column `strategy`."""
    table = read_table(name, path, where=where)
    sides = [side for side in ("", "other_") if f"{side}scale" in table]
    return table.assign(**{f"{side}strategy": _names(table, side) for side in sides})


def _names(table: pd.DataFrame, side: str) -> pd.Series:
    rows = zip(table[f"{side}strategy"], table[f"{side}scale"], strict=True)
    names = [str(Variant(strategy, scale)) for strategy, scale in rows]
    return pd.Series(names, index=table.index, dtype=object)
