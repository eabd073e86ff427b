"""Time and memory of all statistics of a study at full size, from made-up predictions, and of its charts.

Run by `make bench`: 10 backbones × 6 strategies × 6 fractions × 10 seeds × 3 tasks, a quarter of 6,300 fields
tested. The routes of a few backbones stand for all; the work is that of the step `evaluate`, in a process of
its own with two workers. The charts are drawn in another, of what came out four times over: as if fields had
been split in both ways and labelled under both policies.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TASKS, SEEDS, DISTINCT = ("logistic", "finetune_epoch_0", "finetune"), 10, 6
BACKBONES = [f"backbone{number}" for number in range(10)]
STRATEGIES = [f"strategy{number}" for number in range(6)]
FRACTIONS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
PROTEINS, TESTED, FIELDS, CLASSES = 1310, 328, 1575, 17
DRAWS, WORKERS = 2000, 2
SETTINGS = list(product(("fov", "protein"), ("multi", "single")))
CONTROLS = ["backbone0"]
AMOUNTS = ("groups_trained", "images_trained", "labels_trained")


def route(number: int, strategy: str) -> pd.DataFrame:
    """Rows of `predictions` of a route that is right the more often, the larger its number and fraction."""
    classes, runs = [f"class {name:02d}" for name in range(CLASSES)], []
    for seed, fraction in product(range(SEEDS), FRACTIONS):
        drawn = np.random.default_rng(seed).choice(PROTEINS, TESTED, replace=False)
        protein = np.sort(np.resize(drawn, FIELDS))
        truth, rng = protein % CLASSES, np.random.default_rng([number, seed, int(100 * fraction)])
        scores = rng.dirichlet(np.full(CLASSES, 0.5), FIELDS)
        scores[np.arange(FIELDS), truth] += rng.random(FIELDS) * (0.4 + 0.04 * number) * fraction**0.1
        scores = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
        columns = {
            "fov_id": [f"FID{field:08d}" for field in range(FIELDS)],
            "gene": [f"G{one:04d}" for one in protein],
            "truth": [[classes[one]] for one in truth],
            "predicted": [[classes[one]] for one in scores.argmax(axis=1)],
            "probabilities": list(scores),
            "classes": [classes] * FIELDS,
            "thresholds": [[]] * FIELDS,
        }
        columns |= {"image_id": columns["fov_id"], "annotated": columns["truth"], "masked": [[]] * FIELDS}
        setting = {"split_unit": "protein", "label_policy": "single", "fraction": fraction, "shots": 0}
        setting |= {"seed": seed, "clean": True, "strategy": strategy, "scale": 1.0} | dict.fromkeys(
            AMOUNTS, round(PROTEINS * fraction)
        )
        run = pd.DataFrame(columns).assign(**setting)
        chosen_on = run.iloc[: FIELDS // 2].assign(subset="validation")
        runs += [chosen_on, run.assign(subset="test")]
    return pd.concat(runs)


def make(root: Path) -> None:
    """The files of all tasks and backbones, each of all strategies, most of them links."""
    from protloc.tables import write_table

    for number in range(DISTINCT):
        routes = pd.concat(route((number + of) % DISTINCT, name) for of, name in enumerate(STRATEGIES))
        write_table("predictions", routes, root / f"drawn {number}")
    for number, (task, backbone) in enumerate(product(TASKS, BACKBONES)):
        os.link(root / f"drawn {number % DISTINCT}", root / f"{task}-{backbone}")


def score(root: Path) -> None:
    """The work of the step `evaluate`; prints the time and memory of its processes."""
    from protloc.evaluate.enough import enough
    from protloc.evaluate.paired import compare
    from protloc.evaluate.study import score_study
    from protloc.tables import write_table

    jobs = [
        ("predictions", str(root / f"{task}-{backbone}"), [task, "fov", backbone, strategy, 1.0])
        for task, backbone, strategy in product(TASKS, BACKBONES, STRATEGIES)
    ]
    started = time.perf_counter()
    metrics, summary, sides = score_study(jobs, DRAWS, WORKERS)
    scored = time.perf_counter()
    made = {"metrics": metrics, "summary": summary, "comparisons": compare(sides), "enough": enough(summary)}
    for name, table in made.items():
        write_table(name, table, root / f"{name}.parquet")
    compared = time.perf_counter()
    own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = sum(of.ru_utime + of.ru_stime for of in (own, workers))
    peak = (own.ru_maxrss + WORKERS * workers.ru_maxrss) / 1024
    rows = len(made["comparisons"])
    wall = f"{scored - started:.0f} s | {compared - scored:.0f} s"
    print(f"| {wall} | {cpu:.0f} s | {peak:.0f} MB | {rows} |")


def widen(root: Path) -> None:
    """Write the results of `score` for all splits and policies, and the predictions of the best backbone."""
    from protloc.tables import read_table, write_table, write_tables

    for name in ("metrics", "summary", "comparisons"):
        narrow = read_table(name, root / f"{name}.parquet")
        wide = (narrow.assign(split_unit=unit, label_policy=policy) for unit, policy in SETTINGS)
        write_table(name, pd.concat(wide), root / f"{name}.parquet")
    best = pq.read_table(root / f"drawn {DISTINCT - 1}")
    write_tables("predictions", runs(best), root / "predictions.parquet")
    part = pd.DataFrame({"part": ["test"] * TESTED + ["train"] * (PROTEINS - TESTED)})
    part["gene"], part["fov_id"] = [[f"{kind}{row:04d}" for row in part.index] for kind in ("G", "FID")]
    part["labels"], part["fraction"] = [[f"class {row % CLASSES:02d}"] for row in part.index], 1.0
    part["annotated"], part["masked"], part["clean"] = part["labels"], [[]] * len(part), True
    part["image_id"], part["shots"] = part["fov_id"], pd.array([None] * len(part), dtype="Int64")
    write_table("splits", pd.concat(part.assign(seed=seed) for seed in range(SEEDS)), root / "split.parquet")


def runs(predictions: pa.Table) -> Iterator[pa.Table]:
    """The runs of all splits and policies, a table each, in the order of the table `predictions`."""
    of_strategies = {name: predictions.filter(pc.equal(predictions["strategy"], name)) for name in STRATEGIES}
    for name, setting, fraction, seed in product(STRATEGIES, SETTINGS, FRACTIONS, range(SEEDS)):
        of_one = of_strategies[name]
        own = pc.and_(pc.equal(of_one["fraction"], fraction), pc.equal(of_one["seed"], seed))
        run = of_one.filter(own)
        for column, word in zip(("split_unit", "label_policy"), setting, strict=True):
            place = run.schema.get_field_index(column)
            run = run.set_column(place, run.schema.field(place), pa.array([word] * len(run)))
        yield run


def draw(root: Path) -> None:
    """Draw each chart as its rule does, from tables to files; prints the time and the memory of each."""
    from protloc.figures.asked import Asked
    from protloc.figures.classes import class_scores, draw_classes
    from protloc.figures.confusion import SEEN, best_routes, confusion, draw_confusion
    from protloc.figures.fractions import DESIGNS, draw_fractions, scores_over
    from protloc.figures.full_scores import full_scores
    from protloc.figures.strategies import draw_strategies
    from protloc.figures.tuned import draw_tuned, tuned_pairs
    from protloc.tables import read_table
    from protloc.variants import parse, read_scores

    routes = dict.fromkeys(BACKBONES, STRATEGIES)
    asked = Asked({name: f"backbone {name}" for name in routes}, routes, CONTROLS)
    untrained = dict.fromkeys(set(routes) - set(CONTROLS), CONTROLS[0])

    def summary() -> pd.DataFrame:
        return read_scores("summary", root / "summary.parquet")

    def fractions(outputs: list[Path]) -> None:
        scores = scores_over(DESIGNS["fractions"], summary(), "logistic")
        draw_fractions(scores, DESIGNS["fractions"], "logistic", asked.titles, CONTROLS, True, outputs)

    def strategies(outputs: list[Path]) -> None:
        draw_strategies(full_scores(summary(), "logistic", CONTROLS), asked, untrained, True, outputs)

    def tuned(outputs: list[Path]) -> None:
        pairs = tuned_pairs(summary(), read_scores("comparisons", root / "comparisons.parquet"))
        draw_tuned(pairs, asked, asked.routes, True, outputs)

    def classes(outputs: list[Path]) -> None:
        metrics = read_scores("metrics", root / "metrics.parquet", where={"task": "logistic"})
        splits = {setting: read_table("splits", root / "split.parquet") for setting in SETTINGS}
        draw_classes(class_scores(metrics, splits, "logistic", CONTROLS), asked, True, outputs)

    def confusions(outputs: list[Path]) -> None:
        scores = full_scores(summary(), "logistic", CONTROLS)
        bests = best_routes(scores)
        chosen = [best.rows | parse(best.route[1]).columns for best in bests]
        seen = [read_table("predictions", root / "predictions.parquet", SEEN, rows) for rows in chosen]
        pairs = pd.concat(confusion(*both) for both in zip(bests, seen, strict=True))
        draw_confusion(bests, pairs, scores, asked, True, outputs)

    print("\n| chart | wall | peak memory so far |\n| --- | ---: | ---: |")
    for chart in (fractions, strategies, tuned, classes, confusions):
        started = time.perf_counter()
        chart([root / f"chart.{suffix}" for suffix in ("svg", "png")])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {chart.__name__} | {time.perf_counter() - started:.1f} s | {peak:.0f} MB |", flush=True)


def main() -> None:
    """Print Markdown tables: seconds and memory to score and compare, pairs compared; the same of charts."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        print("| score 10,800 runs | compare | processor | peak memory, at most | comparisons |")
        print("| ---: | ---: | ---: | ---: | ---: |", flush=True)
        for work in (score, widen, draw):
            subprocess.run([sys.executable, __file__, work.__name__, folder], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {work.__name__: work for work in (score, widen, draw)}[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
