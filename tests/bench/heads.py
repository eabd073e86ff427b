"""Heads on a finished study's own vectors and splits: macro F1 beside scikit-learn's, and of deep heads.

    python tests/bench/heads.py results/demo [backbone ...] [--deep]

`logistic` beside scikit-learn's LogisticRegression on the same standard scores, its C chosen from the same
values by macro F1 on the same validation part, of equals by the smaller loss. It exits with 1 if `logistic`
is more than 0.01 below on average over all settings, or 0.03 below at one of them (backbone, split unit,
label policy and fraction; mean over seeds). With --deep also `linear` and `mlp`; where `mlp` is below
`linear` by more than the spread over seeds, that is said as by the step `evaluate`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

KEYS = ["backbone", "strategy", "split_unit", "label_policy", "fraction"]
MEAN, NEVER = 0.01, 0.03


def data_of(study: Path, path: Path) -> Iterator[tuple[dict, np.ndarray, object]]:
    """Yield a run's keys, the vectors and its data, of a study with single labels."""
    import yaml
    from protloc.config.settings import Probe
    from protloc.heads.data import run_data
    from protloc.runs import plan
    from protloc.tables import read_table
    from protloc.vectors import read_vectors

    fractions = yaml.safe_load((study / "config.yaml").read_text())["splits"]["fractions"]
    splits = {
        tuple(of.stem.split("-")): read_table("splits", of) for of in study.glob("splits/*-single.parquet")
    }
    names, vectors = read_vectors(path)
    settings, proteins = Probe().model_dump(), read_table("proteins", study / "proteins.parquet")
    for run in plan(splits, fractions):
        keys = [path.parent.name, path.stem, run.unit, run.policy, run.fraction]
        data = run_data(run, pd.Index(names), vectors, proteins, settings)
        yield dict(zip(KEYS, keys, strict=True)) | {"seed": run.seed}, vectors, data


def scored(data: object, part: str, probabilities: np.ndarray) -> float:
    """Macro F1 of the likeliest classes."""
    from protloc.decide import decide
    from protloc.macro_f1 import macro_f1

    return macro_f1(data.truth[part], decide(probabilities, "single"))


def by_scikit_learn(data: object, vectors: np.ndarray, strengths: list[float]) -> float:
    """Test macro F1 of its regression with the C that is best on validation.

    It works on principal axes of the training part, in which the penalty is the same: that only saves time.
    """
    from sklearn.linear_model import LogisticRegression

    parts = {part: data.standard(vectors, part).astype(float) for part in ("train", "validation", "test")}
    _, _, axes = np.linalg.svd(parts["train"], full_matrices=False)
    parts = {part: of @ axes.T for part, of in parts.items()}
    model = LogisticRegression(max_iter=3000, warm_start=True)
    best, found = (-1.0, 0.0), 0.0
    for strength in strengths:
        model.set_params(C=strength).fit(parts["train"], data.targets["train"].argmax(1))
        said = {}
        for part in ("validation", "test"):
            said[part] = np.zeros((len(parts[part]), len(data.weights)))
            said[part][:, model.classes_] = model.predict_proba(parts[part])
        likely = said["validation"][data.truth["validation"]].clip(1e-12)
        score = (round(scored(data, "validation", said["validation"]), 9), float(np.log(likely).mean()))
        if score > best:
            best, found = score, scored(data, "test", said["test"])
    return found


def scores(study: Path, backbones: list[str], deep: bool) -> pd.DataFrame:
    """Macro F1 on test of each run and head."""
    from protloc.config.settings import Probe
    from protloc.heads.fit import fit_heads

    settings, rows = Probe().model_dump(), []
    for path in sorted(study.glob("embeddings/fov/*/*.parquet")):
        if backbones and path.parent.name not in backbones:
            continue
        for keys, vectors, data in data_of(study, path):
            if not data.scores.scale.any():
                continue
            found = {"scikit-learn": by_scikit_learn(data, vectors, sorted(settings["c"]))}
            for head in ("logistic", "linear", "mlp")[: 3 if deep else 1]:
                (fitted,) = fit_heads(vectors, [data], head, settings)
                found[head] = scored(data, "test", fitted.probabilities["test"])
            rows += [keys | {"task": head, "value": value} for head, value in found.items()]
        print(path.parent.name, "done", file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def main(study: Path, backbones: list[str], deep: bool) -> int:
    """Print a Markdown table of means over seeds; 1 if `logistic` falls short."""
    from protloc.evaluate.heads import report_behind

    grouped = scores(study, backbones, deep).groupby([*KEYS, "task"])["value"].agg(["mean", "std"])
    table = grouped["mean"].unstack("task")
    print(table.round(3).reset_index().to_markdown(index=False))
    summary = grouped.rename(columns={"std": "sd"}).reset_index().assign(level="fov", metric="macro_f1")
    report_behind(summary)
    less = table["scikit-learn"] - table["logistic"]
    print(f"\nbelow scikit-learn: {less.mean():.4f} on average, at most {less.max():.4f}")
    return int(less.mean() > MEAN or less.max() > NEVER)


if __name__ == "__main__":
    import warnings

    from protloc.threads import one_thread

    one_thread()
    warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
    given = [word for word in sys.argv[1:] if word != "--deep"]
    sys.exit(main(Path(given[0]), given[1:], "--deep" in sys.argv))
