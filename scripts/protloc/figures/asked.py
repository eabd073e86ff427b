"""What a study asked for: a figure also names what it did not get."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from protloc.figures.looks import Route
from protloc.figures.style import plain

MOST = 6  # of the names that a sentence lists


@dataclass(frozen=True)
class Asked:
    """The titles and the strategies of all backbones, by name, and which of them are controls."""

    titles: Mapping[str, str]
    strategies: Mapping[str, Sequence[str]]
    controls: Collection[str]

    @property
    def routes(self) -> list[Route]:
        """All routes in the order of the study, controls last."""
        names = sorted(self.strategies, key=lambda name: name in self.controls)
        return [(name, strategy) for name in names for strategy in self.strategies[name]]

    @property
    def several(self) -> bool:
        """Whether a backbone has several strategies, so that they need names."""
        return any(len(strategies) > 1 for strategies in self.strategies.values())

    def called(self, route: Route) -> str:
        """A route in words, with its strategy where its backbone has several."""
        backbone, strategy = route
        several = len(self.strategies[backbone]) > 1
        return self.titles[backbone] + (f", {plain(strategy)}" if several else "")

    def lacking(self, scores: pd.DataFrame, column: str, what: str) -> list[str]:
        """A sentence that names the routes without a number in `column`, or none."""
        there = set(routes_of(scores[scores[column].notna()]))
        return self.without(set(self.routes) - there, what)

    def without(self, routes: Iterable[Route], what: str) -> list[str]:
        """A sentence that names routes without `what`, or none; of very many the first."""
        chosen = set(routes)
        names = [self.called(route) for route in self.routes if route in chosen]
        more = [f"and {len(names) - MOST} more"] if len(names) > MOST else []
        return [f"Without {what}: {'; '.join([*names[:MOST], *more])}."] if names else []


def routes_of(table: pd.DataFrame) -> list[Route]:
    """The routes of a table's rows, each once, in their order."""
    return list(dict.fromkeys(zip(table["backbone"], table["strategy"], strict=True)))
