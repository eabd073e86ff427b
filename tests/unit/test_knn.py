from __future__ import annotations

import logging
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from protloc.draw import draw
from protloc.errors import InputError
from protloc.evaluate.bootstrap import interval, resample, weights
from protloc.evaluate.neighbours import VOTES, count_votes, score_neighbours
from protloc.knn import run as run_module
from protloc.knn.padding import with_padding
from protloc.knn.run import APART
from protloc.knn.runs import knn_runs
from protloc.knn.search import Search, error_bound
from protloc.knn.units import Cosine, unit_vectors
from protloc.knn.votes import plain, weighted
from protloc.tables import read_table, write_table
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

SETTINGS = {
    "k": [1, 2, 5, 20],
    "temperature": 0.07,
    "apart": ["protein", "fov", "cell"],
    "cells_per_protein": 9,
    "seeds": [0, 1],
    "memory_mb": 50,
    "threads": 1,
}


OWN = {"strategy": "adapt", "scale": 1.0}


def labelled(cells: int = 120, proteins: int = 10, policy: str = "single") -> pd.DataFrame:
    """Made-up rows of cell_labels: fields of four cells, four classes, a class for each protein."""
    rng = np.random.default_rng(cells)
    genes = np.sort(rng.integers(0, proteins, -(-cells // 4))).repeat(4)[:cells]
    fields = [f"FID{number // 4:08d}" for number in range(cells)]
    return pd.DataFrame(
        {
            "label_policy": policy,
            "cell_id": [f"{field}-{number % 4:04d}" for number, field in enumerate(fields)],
            "fov_id": fields,
            "gene": [f"G{gene:02d}" for gene in genes],
            "label": [f"class {gene % 4}" for gene in genes],
            "padded_fraction": np.arange(cells) % 3 / 10,
        }
    )


def drawn(kind: str, cells: int = 120, dimension: int = 300) -> np.ndarray:
    """Float32 vectors with a difficulty."""
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((cells, dimension))
    if kind == "duplicates":
        vectors = vectors[rng.integers(0, cells // 6, cells)]
    if kind == "scaled duplicates":
        vectors = vectors[rng.integers(0, cells // 6, cells)] * 2.0 ** rng.integers(-9, 9, (cells, 1))
    if kind == "near ties":
        # All at a cosine of about 0.6 to the first, 1e-7 apart: float32 cannot tell the order.
        other = vectors - vectors @ vectors[:1].T * vectors[:1] / np.sum(vectors[0] ** 2)
        cosine = 0.6 + 1e-7 * rng.permutation(cells)[:, None]
        ways = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in (vectors[:1], other)]
        vectors[1:] = (cosine * ways[0] + np.sqrt(1 - cosine**2) * ways[1])[1:]
    if kind == "one direction":
        vectors = vectors * 1e-2 + 1
    return vectors.astype(np.float32)


def brute(vectors: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Rows of the nearest in float64; what differs by less than its rounding is a tie, and goes by row."""
    unit = vectors / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    similar = np.round(unit @ unit.T, 12)
    similar[group[:, None] == group] = -np.inf
    return np.argsort(-similar, axis=1, kind="stable")[:, :count]


def all_rows(vectors: np.ndarray, labels: pd.DataFrame, names: list[str] | None = None, **changed):
    names = names or labels["cell_id"].drop_duplicates().to_list()
    return pd.concat(knn_runs(names, vectors, labels, **SETTINGS | changed), ignore_index=True)


KINDS = ["random", "duplicates", "scaled duplicates", "near ties", "one direction"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dimension", [3, 300])
def test_neighbours_are_those_of_brute_force_in_float64(kind, dimension):
    vectors, labels = drawn(kind, dimension=dimension), labelled()
    groups = {unit: pd.factorize(labels[column])[0] for unit, column in APART.items()}
    for count in (1, 7, 50):  # 7 cuts through the duplicates
        found = Search(unit_vectors(vectors, labels["cell_id"]), groups, count).nearest(range(len(vectors)))
        for unit, group in groups.items():
            np.testing.assert_array_equal(found[unit].rows, brute(vectors, group, count))


@pytest.mark.parametrize("kind", KINDS)
def test_a_similarity_is_that_of_exact_arithmetic(kind):
    units = unit_vectors(drawn(kind, cells=30), [])
    found = np.stack([Cosine(units)(row, np.arange(30)) for row in range(30)])
    high, low = ([list(map(Fraction, row)) for row in part.tolist()] for part in (units.high, units.low))
    for row, other in ((0, 1), (0, 29), (7, 7), (8, 3)):
        pairs = ((high[row], high[other]), (high[row], low[other]), (low[row], high[other]))
        exact = float(sum(a * b for first, second in pairs for a, b in zip(first, second, strict=True)))
        assert found[row, other] == exact
    wide = drawn(kind, cells=30).astype(float)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    np.testing.assert_allclose(found, wide @ wide.T, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize("dimension", [1, 100, 256, 257, 1000])
def test_coarse_similarities_are_within_their_bound(dimension):
    vectors = np.random.default_rng(0).uniform(0.5, 1, (40, dimension)).astype(np.float32)
    search = Search(unit_vectors(vectors, []), {"cell": np.arange(40)}, 1)
    exact = np.stack([Cosine(search.units)(row, np.arange(40)) for row in range(40)])
    assert np.abs(search._coarse(range(40)) - exact).max() <= error_bound(dimension)


@pytest.mark.parametrize("unit", ["protein", "fov", "cell"])
@pytest.mark.parametrize("vote", ["plain", "weighted"])
def test_votes_are_those_of_scikit_learn(unit, vote):
    vectors, labels = drawn("random", dimension=20), labelled()
    table = all_rows(vectors, labels, cells_per_protein=None, seeds=[0])
    table = table[table["apart"] == unit].set_index("cell_id").loc[labels["cell_id"]]
    by_vote = {"plain": "uniform", "weighted": lambda distance: np.exp((1 - distance) / 0.07)}
    group, truth = labels[APART[unit]].to_numpy(), labels["label"].to_numpy()
    for column, k in enumerate(SETTINGS["k"]):
        rival = KNeighborsClassifier(k, weights=by_vote[vote], algorithm="brute", metric="cosine")
        for name in np.unique(group):
            rest, mine = group != name, group == name
            expected = rival.fit(vectors[rest].astype(float), truth[rest]).predict(vectors[mine])
            assert expected.tolist() == [votes[column] for votes in table.loc[mine, vote]]


def test_of_equal_votes_the_first_class_wins():
    labels = np.array([[2, 1, 0, 1, 2, 0]])
    assert plain(labels, [1, 2, 3, 4, 5, 6], 3).tolist() == [[2, 1, 0, 1, 1, 0]]
    same = np.full((1, 6), 0.5)
    assert weighted(labels, same, [1, 2, 3, 4, 5, 6], 3, 0.07).tolist() == [[2, 1, 0, 1, 1, 0]]
    near = np.array([[0.9, 0.8, 0.8, 0.8, 0.2, 0.2]])
    assert weighted(labels, near, [3, 6], 3, 1e-4).tolist() == [[2, 2]]  # exp(9000) is no float


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_depends_on_blocks_threads_or_order(kind, tmp_path, monkeypatch):
    vectors, labels = drawn(kind), labelled()
    write_table("neighbours", all_rows(vectors, labels).assign(**OWN), tmp_path / "once")
    order = np.random.default_rng(1).permutation(len(labels))
    names = labels["cell_id"].to_numpy()[order].tolist()
    for size, threads in ((5, 3), (64, 2)):
        monkeypatch.setattr(run_module, "LARGEST_BLOCK", size)
        mixed = all_rows(vectors[order], labels.sample(frac=1, random_state=size), names, threads=threads)
        write_table("neighbours", mixed.assign(**OWN), tmp_path / "again")
        assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes()


def test_a_neighbour_never_shares_what_is_kept_apart():
    table, labels = all_rows(drawn("duplicates"), labelled()), labelled().set_index("cell_id")
    labels["cell_id"] = labels.index
    assert set(table["apart"]) == set(APART)
    for row in table.itertuples():
        own = labels.loc[row.cell_id, APART[row.apart]]
        assert own not in set(labels.loc[list(row.nearest), APART[row.apart]])
        assert len(row.nearest) == len(row.similarity) == 10


def test_a_draw_is_of_each_protein_nested_and_in_no_order():
    cells = labelled(400)
    few, more = (draw(cells, number, 0) for number in (5, 20))
    assert set(few["cell_id"]) < set(more["cell_id"])
    sizes = cells.groupby("gene").size()
    assert (more.groupby("gene").size() == sizes.clip(upper=20)).all()
    assert more["cell_id"].is_monotonic_increasing
    pd.testing.assert_frame_equal(more, draw(cells.sample(frac=1, random_state=0), 20, 0))
    assert set(few["cell_id"]) != set(draw(cells, 5, 1)["cell_id"])
    assert len(draw(cells, None, 0)) == 400
    without = cells[cells["gene"] != "G03"]  # what is drawn of a protein does not depend on the others
    pd.testing.assert_frame_equal(
        draw(without, 5, 0), few[few["gene"] != "G03"].reset_index(drop=True), check_like=True
    )


def test_a_cell_is_padded_as_far_as_the_crop_of_the_backbone_reaches_beyond_its_field():
    labels = labelled(8).drop(columns="padded_fraction")
    place = {"top": -4, "left": 20, "bottom": 16, "right": 40, "field_height": 96, "field_width": 96}
    cells = labels[["cell_id"]].assign(pixel_size_um=0.5, **place)
    cells.loc[0, ["top", "bottom"]] += 30
    shares = [with_padding(labels[::-1], cells, crop_um).sort_index() for crop_um in (2.0, 10.0, 20.0)]
    assert (shares[0]["padded_fraction"] == 0).all()
    assert shares[1]["padded_fraction"].to_list() == pytest.approx([0] + [4 / 20] * 7)
    assert shares[2]["padded_fraction"].to_list() == pytest.approx([0] + [14 / 40] * 7)
    pd.testing.assert_frame_equal(shares[2][list(labels)], labels)
    table = all_rows(drawn("random"), labelled())
    given = labelled().set_index("cell_id")["padded_fraction"]
    assert (table.set_index("cell_id")["padded_fraction"] == given.loc[table["cell_id"]]).all()


def test_policies_are_told_apart_and_cells_without_a_vector_are_counted(caplog):
    caplog.set_level(logging.INFO)
    labels = pd.concat([labelled(), labelled(60, 5, "hand").assign(label="other")])
    vectors = drawn("random")[:100]
    table = all_rows(vectors, labels, labelled()["cell_id"].to_list()[:100], seeds=[0])
    assert "single labels: 100 of 120 labelled cells have a vector" in caplog.text
    assert {"other"} == set(np.concatenate(table.loc[table["label_policy"] == "hand", "plain"]))
    assert table.groupby("label_policy")["cell_id"].nunique()["single"] <= 9 * 10


def test_a_k_without_enough_neighbours_is_left_out_of_its_policy_and_reported(caplog):
    labels = pd.concat([labelled(), labelled(24, 3, "hand")])
    table = all_rows(drawn("random"), labels, labelled()["cell_id"].to_list(), cells_per_protein=None)
    k = table.groupby("label_policy")["k"].agg(lambda lists: {tuple(one) for one in lists})
    assert k["single"] == {(1, 2, 5, 20)}
    assert k["hand"] == {(1, 2, 5)}
    assert "hand labels: k 20 left out, a cell has only" in caplog.text
    with pytest.raises(InputError, match=r"^knn\.k: 20 neighbours .* under label policy hand a cell has"):
        all_rows(drawn("random"), labels, labelled()["cell_id"].to_list(), k=[20, 500])


def test_faults_are_named():
    vectors, labels = drawn("random"), labelled()
    with pytest.raises(InputError, match="none of the 120 cells of label policy single is embedded"):
        all_rows(vectors, labels, ["FID9"] * 120)
    with pytest.raises(InputError, match=r"^knn\.memory_mb: 1 MB do not hold .* give at least 7"):
        all_rows(vectors, labels, memory_mb=1, threads=2000)
    for nowhere in (0, np.nan):
        vectors[17] = nowhere
        with pytest.raises(InputError, match=f"the vector of {labels['cell_id'][17]} is zero or not finite"):
            all_rows(vectors, labels, cells_per_protein=None)


def test_scores_of_votes_are_those_of_scikit_learn_over_the_classes_that_are_true(tmp_path):
    table = all_rows(drawn("random", dimension=20), labelled())
    table.loc[(table["seed"] == 1) & (table["truth"] == "class 3"), "truth"] = "class 0"
    metrics, summary, _ = score_neighbours(table, ["cell", "vit", "none", 1.0], 50, "n")
    for name, scores in (("metrics", metrics), ("summary", summary)):
        write_table(name, scores, tmp_path / name)
    votes = metrics[metrics["metric"].str.endswith("_f1")]
    values = votes.set_index(["task", "split_unit", "seed", "k", "metric"])["value"]
    assert len(values) == 2 * 3 * 2 * 4 * 2
    for (unit, seed), run in table.groupby(["apart", "seed"]):
        for task, vote in VOTES.items():
            for column, k in enumerate(SETTINGS["k"]):
                guess = [votes[column] for votes in run[vote]]
                for average in ("macro", "micro"):
                    known = sorted(set(run["truth"])) if average == "macro" else None
                    expected = f1_score(run["truth"], guess, average=average, labels=known)
                    found = values[task, unit, seed, k, f"{average}_f1"]
                    assert found == pytest.approx(expected, abs=1e-12)


def test_the_interval_of_a_k_is_that_of_a_setting_by_itself(tmp_path):
    table = all_rows(drawn("random", dimension=20), labelled())
    _, summary, _ = score_neighbours(table, ["cell", "vit", "none", 1.0], 200, "n")
    write_table("summary", summary, tmp_path / "summary")
    summary = read_table("summary", tmp_path / "summary").set_index(["task", "split_unit", "k", "metric"])
    rows = table[table["apart"] == "protein"]
    genes, classes = (pd.Index(np.unique(rows[name])) for name in ("gene", "truth"))
    of_draws = weights(len(genes), 200, ["protein", "single"])
    counts = [count_votes(run, genes, classes)[:, 6] for _, run in rows.groupby("seed")]
    bounds = interval(np.stack([resample(of_run, of_draws)["macro_f1"] for of_run in counts]))
    row = summary.loc[("knn_weighted", "protein", 5, "macro_f1")]  # place 6: the third k of the second vote
    assert bounds.tolist() == [row["low"], row["high"]]
    assert row["runs"] == 2 and row["low"] <= row["mean"] <= row["high"] and row["sd"] > 0


def test_runs_of_a_setting_with_other_k_are_refused():
    table = all_rows(drawn("random"), labelled())
    table.at[0, "k"] = [1, 2, 5, 19]
    with pytest.raises(InputError, match=r"neighbours\.parquet: k differs between seeds"):
        score_neighbours(table, ["cell", "vit", "none", 1.0], 10, "neighbours.parquet")


def test_the_nearest_of_tested_cells_may_be_cells_of_validation():
    table = all_rows(drawn("random"), labelled())
    held = {"G01", "G04", "G07"}
    metrics, _, _ = score_neighbours(table, ["cell", "vit", *OWN.values()], 10, "n", chosen_on=held)
    found = metrics[metrics["metric"] == "nearest_of_protein"].set_index(["seed", "subset"])["value"]
    genes = table.drop_duplicates("cell_id").set_index("cell_id")["gene"]
    for seed, run in table[table["apart"] == "cell"].groupby("seed"):
        nearest = genes[[ids[0] for ids in run["nearest"]]].to_numpy()
        tested = ~run["gene"].isin(held).to_numpy()
        assert set(nearest[tested]) & held
        assert found[seed, "test"] == pytest.approx((nearest == run["gene"])[tested].mean())
    assert set(found.index.get_level_values("subset")) == {"test"}


def test_a_vote_for_a_class_that_the_subset_lacks_is_wrong_and_counts_for_no_class(tmp_path):
    labels = labelled(200, 12)
    vectors = np.random.default_rng(3).normal(size=(len(labels), 8)).astype(np.float32)
    table = all_rows(vectors, labels).assign(padded_fraction=0.0)
    genes = labels.drop_duplicates("gene").set_index("gene")["label"]
    held = set(genes.index[genes != genes.iloc[0]])  # validation has no cell of the first class
    _, summary, _ = score_neighbours(table, ["cell", "vit", "none", 1.0], 20, "n", chosen_on=held)
    rows = table[table["gene"].isin(held) & (table["apart"] == "protein")]
    assert any(genes.iloc[0] in votes for votes in rows["plain"])
    row = summary.query("subset == 'validation' and split_unit == 'protein' and task == 'knn' and k == 5")
    scores = [
        f1_score(
            run["truth"], [votes[SETTINGS["k"].index(5)] for votes in run["plain"]],
            labels=sorted(set(run["truth"])), average="macro", zero_division=0,
        )
        for _, run in rows.groupby("seed")
    ]  # fmt: skip
    found = row.set_index("metric").loc["macro_f1", "mean"]
    assert found == pytest.approx(np.mean(scores))
