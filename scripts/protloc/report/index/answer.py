"""The answer in three sentences, every word of which comes from the tables."""

from __future__ import annotations

import pandas as pd

from protloc.choices import is_chosen, reported
from protloc.report.index.study import ROUTE, SETTING, Names, Tables, like, score

NEW = {
    "protein": "On proteins that its probe has not seen",
    "fov": "On new fields of proteins that its probe knows",
}
SEEN = {
    "protein": "On proteins that its probe has not seen, and its pretraining in part has",
    "fov": "On new fields of proteins that its probe knows, which its pretraining in part has seen",
}
CLASS = "f1_"
SHOWN = 2  # classes at either end


def answer(tables: Tables, names: Names) -> list[str]:
    """Three sentences: which backbone and how sure, how much labelled data, where it is good and bad."""
    return [which_backbone(tables, names), how_much_data(tables, names), where_it_fails(tables, names)]


def which_backbone(tables: Tables, names: Names) -> str:
    """The best frozen backbone on validation, beside the next and the strongest control there."""
    frozen = tables.frozen
    if frozen.empty:
        return "No probe was trained in this study, so it does not say which backbone to take."
    learned, controls = split(frozen, names)
    if learned.empty:
        best = controls.iloc[0]
        return f"Only controls were probed; {names.route(best)} is the best of them: macro F1 {score(best)}."
    best = learned.iloc[0]
    where = _where(best, names)
    words = f"{where}, {names.route(best)} is the best frozen backbone, chosen on the validation part"
    words += f" (head {best['task']})" if len(tables.heads) > 1 else ""
    words += f": macro F1 {score(best)} in test"
    words += _beside(tables, names, best, learned.iloc[1:2], "the next, ", "the only one that was tried")
    return words + _beside(tables, names, best, controls[:1], "the strongest control, ", "no control") + "."


def how_much_data(tables: Tables, names: Names) -> str:
    """The share of the labels that is enough for it, and what fine-tuning adds."""
    return f"{_enough(tables, names)}; {_tuning(tables, names)}."


def where_it_fails(tables: Tables, names: Names) -> str:
    """Its best and worst classes, and the single cells."""
    return f"{_classes(tables, names)}; {_cells(tables, names)}."


def split(rows: pd.DataFrame, names: Names) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of what learned from images, and of controls."""
    control = rows["backbone"].isin(list(names.controls))
    return rows[~control], rows[control]


def chosen(tables: Tables, names: Names) -> pd.Series | None:
    """The row of `summary` that the answer is about: of the best frozen backbone, else control."""
    learned, controls = split(tables.frozen, names)
    rows = learned if len(learned) else controls
    return rows.iloc[0] if len(rows) else None


def _where(best: pd.Series, names: Names) -> str:
    """What the best backbone is asked for, and whether its pretraining has seen that."""
    seen = (best["backbone"], best["split_unit"], best["label_policy"]) in names.transductive
    return (SEEN if seen else NEW)[best["split_unit"]]


def _beside(tables: Tables, names: Names, best: pd.Series, rival: pd.DataFrame, role: str, none: str) -> str:
    """The best beside another, as a part of a sentence."""
    if rival.empty:
        return f", {none}"
    other = rival.iloc[0]
    found = tables.difference(best, other)
    told = f"{role}{names.route(other)} at {other['mean']:.3f}"
    if found is None:
        return f"; {told} was not compared with it"
    if not found.told_apart:
        return f", not told apart from {told} ({found})"
    return f", {'ahead of' if found.value > 0 else 'behind'} {told} ({found})"


def _enough(tables: Tables, names: Names) -> str:
    best = chosen(tables, names)
    if best is None:
        return "Without a probe nothing is known of how much labelled data is enough"
    rows = like(tables.enough, best, *ROUTE, "split_unit", "label_policy", "metric")
    if rows.empty or pd.isna(rows.iloc[0]["full"]):
        return "All of the labelled data was not tried, so nothing is known of how much of it is enough"
    row = rows.iloc[0]
    if row["fractions"] == 1:
        return "Only all of the labelled data was tried"
    if row["fraction"] == 1:
        return f"No smaller share of the labelled data reaches its score with all of it ({row['full']:.3f})"
    reached = "is enough: its interval there reaches its score with all of it"
    return f"{row['fraction']:.0%} of the labelled data {reached}, {score(row)}"


def _tuning(tables: Tables, names: Names) -> str:
    if tables.tuned.empty:
        return "nothing was fine-tuned"
    tuned = tables.tuned.iloc[0]
    frozen = like(tables.before, tuned, "backbone", "strategy", *SETTING)
    found = tables.difference(tuned, frozen.iloc[0]) if len(frozen) else None
    name = names.route(tuned)
    if found is None:
        return f"fine-tuned, {name} scores {score(tuned)}, with nothing before it to compare it with"
    if not found.told_apart:
        return f"fine-tuning changes {name} by nothing that can be told ({found})"
    return f"fine-tuning {'improves' if found.value > 0 else 'worsens'} {name} ({found})"


def _classes(tables: Tables, names: Names) -> str:
    best = chosen(tables, names)
    if best is None:
        return "No class was scored"
    means = class_means(tables, best)
    said = [f"{label.replace('_', ' ')} ({mean:.2f})" for label, mean in means.items()]
    if len(said) < 2:
        return f"There is one class alone, {said[0]}" if said else "No class was scored"
    shown = min(SHOWN, len(said) // 2)
    return f"It is best at {' and '.join(said[:shown])}, worst at {' and '.join(said[-shown:])} by F1"


def class_means(tables: Tables, row: pd.Series) -> pd.Series:
    """F1 of each class on the runs of a row of `summary`, mean over seeds, best first."""
    runs = like(reported(tables.metrics), row, *ROUTE, *SETTING)
    runs = runs[runs["metric"].str.startswith(CLASS)]
    means = runs.groupby("metric")["value"].mean().rename(lambda name: name.removeprefix(CLASS))
    return means.sort_values(ascending=False, kind="stable")


def _cells(tables: Tables, names: Names) -> str:
    if tables.cells.empty:
        return "single cells were not scored"
    learned, controls = split(tables.cells, names)
    best = (learned if len(learned) else controls).iloc[0]
    where = {"protein": " of other proteins", "fov": " of other fields"}.get(best["split_unit"], "")
    voters = f"{best['k']} neighbours{where}"
    how = (
        ""
        if is_chosen(tables.cells)
        else " (without proteins of validation: highest of the scores, middle k)"
    )
    return f"single cells are told best by {names.route(best)}, from {voters}{how}: macro F1 {score(best)}"
