"""`index.html`: the question, the answer, what it rests on, and the way to every table, figure and record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from docutils.core import publish_parts
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from protloc.config.published import Claim
from protloc.facts import SUFFIX
from protloc.report.index.answer import answer, chosen
from protloc.report.index.cautions import cautions, missing_routes
from protloc.report.index.study import ROUTE, Names, Tables
from protloc.report.index.verdicts import verdict_rows

FIRST = ("Macro F1", "Classes", "Single cells")
RUN = [*ROUTE, "level", "split_unit", "label_policy", "fraction", "seed"]
DIRECTIVES = {"file_insertion_enabled": False, "raw_enabled": False, "report_level": 5}


@dataclass(frozen=True)
class Data:
    """What went in: the tables of that name, splits by `{split_unit}-{label_policy}`, all classes.

    `images` is the table `pretraining_images`, empty in a study that pretrains nothing.
    """

    fovs: pd.DataFrame
    proteins: pd.DataFrame
    splits: Mapping[str, pd.DataFrame]
    images: pd.DataFrame
    classes: Sequence[str]
    simulated: bool


@dataclass(frozen=True)
class Figure:
    """A figure that readers are shown: its category and name, its caption as reStructuredText, its files."""

    category: str
    name: str
    caption: str
    files: Sequence[str]

    @property
    def picture(self) -> str | None:
        """The file that a browser shows, if any."""
        return next(
            (file for suffix in (".webp", ".png") for file in self.files if file.endswith(suffix)), None
        )

    @property
    def is_sheet(self) -> bool:
        """Whether readers have to unfold it: a sheet of pictures, or a page. Charts are there as SVG too."""
        return not any(file.endswith(".svg") for file in self.files)

    @property
    def text(self) -> str:
        """The caption as HTML; nothing in it can bring in a file or markup of its own."""
        return publish_parts(self.caption, writer="html5", settings_overrides=DIRECTIVES)["body"]


def index_page(
    study: Mapping[str, Any],
    data: Data,
    tables: Tables,
    names: Names,
    expected: Sequence[Sequence[str]],
    claims: Mapping[str, Claim],
    published: pd.DataFrame,
    figures: Sequence[Figure],
    files: Sequence[str],
) -> str:
    """The page as HTML.

    `study` is the configuration, `expected` are the routes that were asked for (task, backbone, strategy),
    `published` is the table of that name, `files` are the results relative to the page.
    """
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["value"] = lambda number: "–" if pd.isna(number) else f"{number:.3f}".replace("-", "−")
    return pages.get_template("page.html").render(
        study=study["study"],
        simulated=data.simulated,
        sentences=answer(tables, names),
        cautions=[
            *missing_routes(expected, tables, names),
            *cautions(tables, names, data.fovs, data.proteins, data.splits, data.images, data.classes),
        ],
        tiles=_tiles(data, tables, names),
        scores=_scores(tables, names),
        claims=verdict_rows(claims, published, names),
        categories=_by_category(figures),
        settings=_settings(study),
        files=_by_folder(files),
        record=SUFFIX,
    )


def _tiles(data: Data, tables: Tables, names: Names) -> list[tuple[str, str]]:
    """Numbers that say how large the study is, and its best score."""
    good = data.fovs[data.fovs["status"] == "ok"]
    tiles = [
        (f"{len(good):,}", "fields of view"),
        (f"{good['gene'].nunique():,}", "proteins"),
        (str(len(names.titles) - len(names.controls)), "backbones"),
        (str(len(names.controls)), "controls"),
        (f"{len(tables.metrics.drop_duplicates(RUN)):,}", "runs"),
    ]
    best = chosen(tables, names)
    return tiles if best is None else [*tiles, (f"{best['mean']:.3f}", "best backbone's macro F1")]


def _scores(tables: Tables, names: Names) -> list[dict[str, Any]]:
    """A row for each frozen and fine-tuned route at the setting of the answer, beside itself untrained."""
    frozen = tables.frozen
    by_route = {(row["backbone"], row["strategy"]): row for _, row in frozen.iterrows()}
    rows = []
    for trained, table in (("frozen", frozen), ("fine-tuned", tables.tuned)):
        for _, row in table.iterrows():
            control = by_route.get((names.untrained.get(row["backbone"]), row["strategy"]))
            above = tables.difference(row, control) if control is not None and trained == "frozen" else None
            rows.append(
                row[["mean", "sd", "low", "high"]].to_dict()
                | {"name": names.route(row), "trained": trained, "above": above}
                | {"control": row["backbone"] in names.controls}
            )
    return sorted(rows, key=lambda row: -row["mean"])


def _by_category(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    """Figures by category: scores first, then others as they come."""
    found: dict[str, list[Figure]] = {category: [] for category in FIRST}
    for figure in figures:
        found.setdefault(figure.category, []).append(figure)
    return {category: of_it for category, of_it in found.items() if of_it}


def _by_folder(files: Sequence[str]) -> dict[str, list[str]]:
    """Files by the folder below the study's own that they are in; those in none come first."""
    found: dict[str, list[str]] = {}
    for file in sorted(files, key=lambda file: ("/" in file, file)):
        found.setdefault(file.partition("/")[0] if "/" in file else "", []).append(file)
    return found


def _settings(study: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Settings by group, those without one first; groups that the study leaves out are rows there."""
    groups = {name: value for name, value in study.items() if isinstance(value, dict)}
    single = {name: value for name, value in study.items() if name not in groups}
    return {"study": _flat(single), **{name: _flat(values) for name, values in groups.items()}}


def _flat(settings: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Settings as dotted names with their values."""
    rows: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            rows += _flat(value, f"{above}{name}.")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            rows.append((above + name, "none" if shown in (None, {}) else str(shown)))
    return rows
