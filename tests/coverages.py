"""How often intervals hold the true value, on simulated predictions whose truth is known: docs/coverage.png.

Drawn by `python tests/coverages.py`; a slow test asks for one of its points.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
CLASSES, FIELDS, DRAWS, REPEATS = 17, 5, 1000, 1000
EASE = (0.3, 0.8)  # of the two routes, logits
SIZES = (3, 5, 10, 20)  # proteins tested of each class


def simulate(rng: np.random.Generator, per_class: int) -> np.ndarray:
    """Counts of two routes on the same fields: (2, proteins, fields, 3, classes).

    A protein is easy or hard for both, and a little more so for one: its fields are not independent.
    """
    truth = np.repeat(np.arange(CLASSES), per_class)
    proteins = len(truth)
    shared, own = rng.normal(0, 1.5, proteins), rng.normal(0, 1, (2, proteins))
    ease = np.array(EASE)[:, None] + shared + own
    right = rng.random((2, proteins, FIELDS)) < 1 / (1 + np.exp(-ease))[..., None]
    usual = (truth + rng.integers(1, CLASSES, (2, proteins))) % CLASSES  # what a protein is mistaken for
    guess = np.where(right, truth[:, None], usual[..., None])
    counts = np.zeros((2, proteins, FIELDS, 3, CLASSES), dtype=np.float32)
    place = np.ogrid[:2, :proteins, :FIELDS]
    of = np.broadcast_to(truth[:, None], guess.shape)
    counts[*place, 0, of] = right
    counts[*place, 1, guess] = ~right
    counts[*place, 2, of] = ~right
    return counts


def coverage(per_class: int, together: bool = True, repeats: int = REPEATS) -> dict[str, float]:
    """Share of 95 % intervals that hold the true macro F1, and the true difference, 0 to 1.

    Without `together` fields are drawn instead of proteins, as if they were independent.
    """
    from protloc.evaluate.bootstrap import interval, resample, weights
    from protloc.evaluate.f1 import macro_of_present

    whole = simulate(np.random.default_rng(0), 20_000).sum(axis=(1, 2))
    score, other = macro_of_present(whole)
    hits = np.zeros(2)
    with threadpool_limits(1):
        for repeat in range(repeats):
            counts = simulate(np.random.default_rng([1, per_class, repeat]), per_class)
            shape = (2, -1, 3, CLASSES)
            units = counts.sum(axis=2) if together else counts.reshape(shape)
            drawn = weights(units.shape[1], DRAWS, [str(repeat % 8)])
            first, second = (resample(side, drawn)["macro_f1"] for side in units)
            for place, (values, true) in enumerate(((first, score), (first - second, score - other))):
                low, high = interval(values[None])
                hits[place] += low <= true <= high
    return dict(zip(("macro F1", "difference"), (hits / repeats).tolist(), strict=True))


def main() -> None:
    """Draw docs/coverage.png."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3), sharey=True, layout="constrained")
    looks = {True: ("proteins are drawn", "#0072B2", "o-"), False: ("fields are drawn", "#D55E00", "s--")}
    for together, (label, colour, mark) in looks.items():
        found = [coverage(per_class, together) for per_class in SIZES]
        print(label, found, flush=True)
        for axis, name in zip(axes, found[0], strict=True):
            axis.plot(SIZES, [100 * of[name] for of in found], mark, color=colour, label=label)
    for axis, name in zip(axes, ("macro F1 of a route", "difference of two routes"), strict=True):
        axis.axhspan(93, 97, color="0.88", zorder=0)
        axis.axhline(95, color="0.6", linewidth=1, zorder=0)
        axis.set(title=name, xlabel="proteins tested of each class", xscale="log", xticks=SIZES)
        axis.set_xticks(SIZES, [str(size) for size in SIZES])
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("intervals that hold the truth, %")
    axes[1].legend(frameon=False, loc="lower right")
    figure.savefig(ROOT / "docs/coverage.png", dpi=150)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "scripts"))
    main()
