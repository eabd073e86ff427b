"""Which images a network is pretrained on, and which it never sees."""

from __future__ import annotations

import numpy as np
import pandas as pd

from protloc.config.settings import Untested

PRETRAINED, HELD_OUT, EXCLUDED = "pretrained", "held_out", "excluded"


def roles(
    fovs: pd.DataFrame, proteins: pd.DataFrame, tested: frozenset[str], share: float, seed: int
) -> np.ndarray:
    """What each row of `fovs` is used for: PRETRAINED, HELD_OUT or EXCLUDED, text (fields,).

    `tested` are ids of fields to exclude; the fields that the curve is on are held out of the others.
    """
    excluded = fovs["fov_id"].isin(tested).to_numpy()
    held = np.zeros(len(fovs), dtype=bool)
    held[~excluded] = hold_out(fovs[~excluded], proteins, share, seed)
    return np.select([excluded, held], [EXCLUDED, HELD_OUT], PRETRAINED)


def under_test(split: pd.DataFrame, exclude: Untested) -> frozenset[str]:
    """The ids of the fields that a split tests under the seed of `exclude`, or under any.

    `split` is the table `splits` of its unit and label policy.
    """
    tested = split[split["part"] == "test"]
    return frozenset(
        tested["fov_id"] if exclude.seed is None else tested["fov_id"][tested["seed"] == exclude.seed]
    )


def hold_out(fovs: pd.DataFrame, proteins: pd.DataFrame, share: float, seed: int) -> np.ndarray:
    """Which rows of `fovs` are of proteins held out of the training: bool (fields,).

    `share` of the proteins of each localization are drawn among those that have exactly one grade-3
    localization: at least two, or none where there are fewer than four.
    """
    labels = single_labels(proteins)
    rng = np.random.default_rng(seed)
    held: list[str] = []
    for label in sorted(set(labels.values())):
        genes = sorted(gene for gene in set(fovs["gene"]) if labels.get(gene) == label)
        count = max(2, round(share * len(genes))) if len(genes) >= 4 else 0
        held += list(rng.permutation(genes)[:count])
    return fovs["gene"].isin(held).to_numpy()


def single_labels(proteins: pd.DataFrame) -> dict[str, str]:
    """The grade-3 localization of each protein that has exactly one."""
    single = proteins[proteins["grade_3"].str.len() == 1]
    return {gene: labels[0] for gene, labels in zip(single["gene"], single["grade_3"], strict=True)}
