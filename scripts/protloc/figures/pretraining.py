"""How a pretraining went, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from protloc.figures.style import COLOURS, EDGE_MM, GREY, SMALL_PT, WIDTH_MM, note, sheet

HEIGHT, TOP, BOTTOM, LEFT = 56.0, 7.0, 14.0, 11.0  # mm
COLUMNS = ["epoch", "loss", "teacher_entropy", "knn_accuracy"]
NOTE = "{title}. kNN: held-out proteins, neighbours of other held-out proteins."


def draw_pretraining(
    curve: pd.DataFrame,
    title: str,
    prototypes: int,
    simulated: bool,
    outputs: Sequence[Path],
    dpi: int = 300,
) -> None:
    """Write the figure: loss, entropy of the teacher's targets, and kNN accuracy against epochs.

    `curve` is the table of that name, of which COLUMNS are shown, `prototypes` the number that bounds loss
    and entropy of a teacher that has learned nothing.
    """
    with sheet(HEIGHT, outputs, dpi=dpi) as figure:
        panels = figure.subplots(1, 3)
        figure.subplots_adjust(
            left=LEFT / WIDTH_MM,
            right=1 - EDGE_MM / WIDTH_MM,
            top=1 - TOP / HEIGHT,
            bottom=BOTTOM / HEIGHT,
            wspace=0.22,
        )
        nothing = math.log(prototypes)
        _panel(panels[0], curve, "loss", "Loss (nats)", nothing, f"guessing: ln {prototypes}")
        _panel(panels[1], curve, "teacher_entropy", "Entropy of the targets (nats)", nothing, "says nothing")
        first = float(curve["knn_accuracy"].iloc[0])
        _panel(panels[2], curve, "knn_accuracy", "Validation kNN accuracy", first, "untrained")
        panels[1].set_ylim(0, 1.08 * nothing)
        panels[2].set_ylim(0, 1)
        note(figure, NOTE.format(title=title[:1].upper() + title[1:]), simulated)


def _panel(axis: Axes, curve: pd.DataFrame, column: str, heading: str, mark: float, name: str) -> None:
    """Draw a column against epochs, and a dotted line for a training that learned nothing."""
    axis.axhline(mark, color=GREY, linewidth=0.8, linestyle=":")
    axis.annotate(
        name,
        (1, mark),
        (0, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        color=GREY,
        fontsize=SMALL_PT,
    )
    axis.plot(curve["epoch"], curve[column], color=COLOURS[0], marker="o", markersize=2, clip_on=False)
    axis.set_title(heading, loc="left")
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_xlim(0, max(1, curve["epoch"].max()))
