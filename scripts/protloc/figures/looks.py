"""How the line of a backbone and strategy looks, the same in every chart of a study."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from protloc.figures.style import COLOURS, GREY, plain

CONTROL_DASHES = ((4, 1.5), (1.2, 1.2), (6, 1.5, 1.2, 1.5), (2.5, 2.5))
MARKERS = ("o", "s", "^", "D", "v", "P")
Route = tuple[str, str]  # backbone and strategy
Look = dict[str, object]  # what `Axes.plot` is given


def looks_of_routes(
    scores: pd.DataFrame, titles: Mapping[str, str], controls: Collection[str]
) -> dict[Route, Look]:
    """The look of each route in `scores`, with its label: a colour per backbone, controls grey and dashed.

    `titles` and `controls` are by backbone; the order is that of `titles`.
    """
    backbones = [name for name in titles if name in set(scores["backbone"])]
    learned = [name for name in backbones if name not in controls]
    looks: dict[Route, Look] = {}
    for name in backbones:
        strategies = sorted(scores.loc[scores["backbone"] == name, "strategy"].unique())
        for number, strategy in enumerate(strategies):
            label = titles[name] + (f", {plain(strategy)}" if len(strategies) > 1 else "")
            if name in controls:
                grey = sum(look["color"] == GREY for look in looks.values())
                dashes = CONTROL_DASHES[grey % len(CONTROL_DASHES)]
                look = {"color": GREY, "dashes": dashes, "markerfacecolor": "white", "linewidth": 1.0}
                look["marker"] = MARKERS[grey % len(MARKERS)]
            else:
                look = {"color": COLOURS[learned.index(name) % len(COLOURS)], "marker": MARKERS[number]}
            looks[name, strategy] = look | {"label": label}
    return looks
