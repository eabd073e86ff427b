"""How well vectors tell where an image comes from: what a classifier could use instead of biology."""

from __future__ import annotations

import numpy as np
import pandas as pd


def shortcuts(run: pd.DataFrame, queries: pd.DataFrame) -> dict[str, float]:
    """Shares of `queries`, 0 to 1, among rows of `neighbours` of a run where only the cell itself is apart.

    nearest_of_protein, nearest_of_fov: whose nearest cell is of the same protein, of the same field.
    nearest_of_fov_in_protein: of those whose nearest is of the same protein and could be of another of its
    fields, whose nearest is of the same field. Each is followed by `_chance`, what a random neighbour gives.
    """
    nearest = run.set_index("cell_id")[["gene", "fov_id"]].loc[[ids[0] for ids in queries["nearest"]]]
    same = {name: nearest[name].to_numpy() == queries[name].to_numpy() for name in ("gene", "fov_id")}
    others = {name: queries[name].map(run[name].value_counts()).to_numpy() - 1 for name in same}
    several = same["gene"] & (others["gene"] > others["fov_id"])
    within = np.divide(others["fov_id"], others["gene"], where=several, out=np.zeros(len(queries)))
    return {
        "nearest_of_protein": float(same["gene"].mean()),
        "nearest_of_protein_chance": float(others["gene"].mean() / (len(run) - 1)),
        "nearest_of_fov": float(same["fov_id"].mean()),
        "nearest_of_fov_chance": float(others["fov_id"].mean() / (len(run) - 1)),
        **_where(several, same["fov_id"], within),
    }


def _where(several: np.ndarray, same: np.ndarray, chance: np.ndarray) -> dict[str, float]:
    """The shares within proteins; none where no cell's nearest is of a protein with several fields."""
    if not several.any():
        return {}
    name = "nearest_of_fov_in_protein"
    return {name: float(same[several].mean()), f"{name}_chance": float(chance[several].mean())}
