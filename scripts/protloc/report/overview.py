"""The overview: what went in, what was left out and why, and the scores, as one page of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from protloc.choices import reported

SHOWN_PROBLEMS = 20
TUNED = "finetune"  # is shown beside the probe


@dataclass(frozen=True)
class Division:
    """A split in numbers: its unit and label policy, proteins and fields of a class, classes left out."""

    unit: str
    policy: str
    classes: pd.DataFrame
    left_out: list[str]


def overview_page(
    fovs: pd.DataFrame,
    divisions: Sequence[Division],
    summary: pd.DataFrame | None,
    task: str,
    titles: Mapping[str, str],
    simulated: bool,
) -> str:
    """An HTML page: the counts, each problem of the data, the classes of each split, a task's scores."""
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    problems = fovs[fovs["problem"].notna()]
    return pages.get_template("overview.html").render(
        simulated=simulated,
        fields=len(fovs),
        proteins=fovs.loc[fovs["status"] == "ok", "gene"].nunique(),
        bad=int((fovs["status"] == "bad").sum()),
        problems=problems.head(SHOWN_PROBLEMS).to_dict("records"),
        more=max(0, len(problems) - SHOWN_PROBLEMS),
        divisions=divisions,
        scores=_scores(summary, task, titles),
    )


def divide(split: pd.DataFrame, unit: str, policy: str, classes: Sequence[str]) -> Division:
    """What a split holds, from its first seed: a row per class with its proteins and fields in each part."""
    first = split[split["seed"] == split["seed"].min()].explode("labels")
    groups = first.groupby(["labels", "part"])
    counts = groups.agg(proteins=("gene", "nunique"), fields=("fov_id", "nunique")).unstack(fill_value=0)
    counts.columns = [f"{part}_{what}" for what, part in counts.columns]
    left_out = sorted(set(classes) - set(counts.index))
    return Division(unit, policy, counts.reset_index(names="label"), left_out)


def _scores(summary: pd.DataFrame | None, task: str, titles: Mapping[str, str]) -> list[dict]:
    """Macro F1 of a task, and of fine-tuning, at the largest fraction, best first within each split."""
    if summary is None:
        return []
    of_tasks = summary["task"].isin([task, TUNED])
    probes = reported(summary[of_tasks & (summary["metric"] == "macro_f1")])
    whole = probes[probes["fraction"] == probes["fraction"].max()]
    tuned = whole["task"].map({TUNED: ", fine-tuned"}).fillna("")
    whole = whole.assign(title=whole["backbone"].map(titles) + tuned)
    order = ["split_unit", "label_policy", "mean", "task", "backbone", "strategy"]
    whole = whole.sort_values(order, ascending=[False, True, False, True, True, True])
    return whole.to_dict("records")
