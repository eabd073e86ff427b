from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from protloc.config.settings import Probe
from protloc.draw import draw
from protloc.errors import InputError
from protloc.evaluate.paired import compare
from protloc.evaluate.study import score_study
from protloc.kept import KeptRuns
from protloc.probe.runs import probe
from protloc.report.index.study import without_cell_probes
from protloc.runs import plan
from protloc.splits.cells import split_cells
from protloc.splits.table import make_split
from protloc.tables import TABLES, read_table, write_table, write_tables
from protloc.variants import Variant

CLASSES = ("er", "golgi", "chromatin")
FRACTIONS, SEEDS = [0.25, 1.0], [0, 1]


def fields(proteins: int = 36, each: int = 3) -> pd.DataFrame:
    """Good fields of made-up proteins."""
    genes = [f"G{number:02d}" for number in range(proteins) for _ in range(each)]
    names = [f"FID{number:08d}" for number in range(len(genes))]
    return pd.DataFrame({"fov_id": names, "gene": genes, "status": "ok"})


def split_of(fovs: pd.DataFrame, unit: str) -> pd.DataFrame:
    labels = {gene: [CLASSES[int(gene[1:]) % 3]] for gene in fovs["gene"].unique()}
    shares = {"test_share": 0.25, "validation_share": 0.25}
    return make_split(fovs, labels, unit=unit, seeds=SEEDS, fractions=FRACTIONS, shots=[1, 2], **shares)


def cells_of(fovs: pd.DataFrame, each: int = 4, policy: str = "single") -> pd.DataFrame:
    """Rows of cell_labels, so many cells in each field."""
    rows = fovs.loc[fovs.index.repeat(each), ["fov_id", "gene"]].reset_index(drop=True)
    rows["cell_id"] = [f"{fov_id}-{row % each:04d}" for row, fov_id in enumerate(rows["fov_id"])]
    rows["label"] = [CLASSES[int(gene[1:]) % 3] for gene in rows["gene"]]
    return rows.assign(label_policy=policy)


@pytest.mark.parametrize("unit", ["protein", "fov"])
def test_a_cell_is_in_the_part_of_its_field(unit, tmp_path):
    fovs = fields()
    split = split_of(fovs, unit)
    found = split_cells(split, cells_of(fovs), unit=unit, policy="single", per_protein=None)
    write_table("splits", found, tmp_path / "splits.parquet")
    found = read_table("splits", tmp_path / "splits.parquet")
    assert list(found) == [column.name for column in TABLES["splits"].columns]
    assert len(found) == len(SEEDS) * len(fovs) * 4
    both = found.merge(split, on=["seed", "fov_id"], suffixes=("", "_of_field"))
    for column in ("gene", "part", "fraction", "shots"):
        pd.testing.assert_series_equal(
            both[column], both[f"{column}_of_field"], check_names=False, check_dtype=False
        )
    assert (found["image_id"].str[:11] == found["fov_id"]).all()
    assert [*map(list, found["labels"])] == [[CLASSES[int(gene[1:]) % 3]] for gene in found["gene"]]
    group = {"protein": "gene", "fov": "fov_id"}[unit]
    assert (found.groupby(["seed", group])["part"].nunique() == 1).all()


def test_of_each_protein_as_many_cells_are_drawn_whatever_the_order():
    fovs = fields()
    split, cells = split_of(fovs, "protein"), cells_of(fovs)
    few, more = (
        split_cells(split, cells, unit="protein", policy="single", per_protein=count) for count in (2, 5)
    )
    assert set(few.groupby(["seed", "gene"]).size()) == {2} and set(
        more.groupby(["seed", "gene"]).size()
    ) == {5}
    for seed, of_seed in more.groupby("seed"):
        assert set(of_seed["image_id"]) == set(draw(cells, 5, seed)["cell_id"])
        assert set(few.loc[few["seed"] == seed, "image_id"]) < set(of_seed["image_id"])
    again = split_cells(split[::-1], cells[::-1], unit="protein", policy="single", per_protein=5)
    key = ["seed", "image_id"]
    pd.testing.assert_frame_equal(
        *(rows.sort_values(key, ignore_index=True)[sorted(rows)] for rows in (more, again))
    )


def test_a_label_by_hand_is_of_its_cell_alone():
    fovs = fields()
    split = split_of(fovs, "fov").assign(masked=[["golgi"]] * len(fovs) * 2, clean=False)
    cells = cells_of(fovs, policy="hand")
    cells["label"] = np.take(CLASSES, np.arange(len(cells)) % 3)  # cells of one protein differ
    found = split_cells(split, cells, unit="fov", policy="hand", per_protein=None)
    given = cells.set_index("cell_id")["label"]
    assert [*map(list, found["labels"])] == [[given[name]] for name in found["image_id"]]
    assert [*map(list, found["annotated"])] == [*map(list, found["labels"])] and found["clean"].all()
    assert not found["masked"].map(len).any()
    weak = split_cells(split, cells_of(fovs), unit="fov", policy="single", per_protein=None)
    assert {*map(tuple, weak["masked"])} == {("golgi",)} and not weak["clean"].any()


def test_what_cannot_be_split_is_counted_or_refused(caplog):
    caplog.set_level(logging.INFO)
    fovs = fields()
    split, cells = split_of(fovs, "protein"), cells_of(fovs, policy="hand")
    other = cells[:8].assign(fov_id="FID99999999", cell_id=[f"FID99999999-{n:04d}" for n in range(8)])
    rare = cells["gene"] == "G00"
    cells.loc[rare, "label"] = "centrosome"  # one protein: it is in one part
    found = split_cells(split, pd.concat([cells, other]), unit="protein", policy="hand", per_protein=None)
    assert f"hand labels: {len(cells)} of {len(cells) + 8} cells lie in fields that are split" in caplog.text
    assert "classes not in training and test of every seed left out: centrosome" in caplog.text
    assert set(found["image_id"]) == set(cells.loc[~rare, "cell_id"])
    validation = set(split.loc[(split["part"] == "validation") & (split["seed"] == 0), "fov_id"])
    for few in (cells[cells["label"] == "er"], cells[~cells["fov_id"].isin(validation)]):
        with pytest.raises(InputError, match="no split of cells is possible under hand labels"):
            split_cells(split, few, unit="protein", policy="hand", per_protein=None)


def vectors_of(split: pd.DataFrame, noise: float) -> tuple[list[str], np.ndarray]:
    """Names of the images and float32 vectors that hold a direction of each label, and noise."""
    rng = np.random.default_rng(0)
    directions = dict(zip(CLASSES, rng.normal(size=(len(CLASSES), 20)), strict=True))
    one = split.drop_duplicates("image_id").sort_values("image_id")
    found = np.stack([directions[labels[0]] for labels in one["labels"]])
    return list(one["image_id"]), np.float32(found + noise * rng.normal(size=found.shape))


def probed(splits: dict[tuple[str, str], pd.DataFrame], noise: float, path: Path) -> str:
    """The file of the predictions of all runs on some splits."""
    settings = Probe().model_dump(exclude={"heads"})
    names, vectors = vectors_of(pd.concat(splits.values()), noise)
    kept = KeptRuns("predictions", path.with_suffix(".kept"), [])
    runs = plan(splits, FRACTIONS, [2], Variant("none"))
    rows = probe(names, vectors, runs, kept, pd.DataFrame(), "logistic", settings)
    write_tables("predictions", rows, path)
    return str(path)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Predictions of cells, and the scores of fields and of cells with labels of both kinds."""
    folder, fovs = tmp_path_factory.mktemp("probed"), fields()
    of_fields, cells = split_of(fovs, "protein"), {}
    for policy in ("single", "hand"):
        labels = cells_of(fovs, policy=policy)
        if policy == "hand":  # every fourth cell looks unlike its protein
            labels["label"] = labels["label"].where(labels.index % 4 != 0, "er")
        cells["protein", policy] = split_cells(
            of_fields, labels, unit="protein", policy=policy, per_protein=5
        )
    files = {
        "cell": probed({("protein", "hand"): cells["protein", "hand"]}, 1.0, folder / "hand.parquet"),
        "fov": probed({("protein", "single"): of_fields}, 1.0, folder / "fields.parquet"),
    }
    weak = probed({("protein", "single"): cells["protein", "single"]}, 6.0, folder / "weak.parquet")
    route = ["one", "none", 1.0]
    jobs = [("predictions", path, ["logistic", level, *route]) for level, path in files.items()]
    jobs += [("predictions", weak, ["logistic", "cell", "other", "none", 1.0])]
    return read_table("predictions", files["cell"]), cells, score_study(jobs, 50, 1)


def test_cells_are_probed_on_the_labels_that_each_was_given(scored):
    predictions, cells, _ = scored
    hand = cells["protein", "hand"]
    given = {(row.seed, row.image_id): list(row.labels) for row in hand.itertuples()}
    tested = predictions[(predictions["subset"] == "test") & (predictions["fraction"] == 1)]
    assert len(tested) and all(
        list(row.truth) == given[row.seed, row.image_id] for row in tested.itertuples()
    )
    mixed = tested.groupby("gene")["truth"].agg(lambda truths: len({*map(tuple, truths)}))
    assert (mixed > 1).any()
    right = [list(a) == list(b) for a, b in zip(tested["truth"], tested["predicted"], strict=True)]
    assert np.mean(right) > 0.9
    of_first = predictions[(predictions["seed"] == 0) & (predictions["shots"] == 0)]
    first = of_first[of_first["fraction"] == 1].iloc[0]
    learned = hand[(hand["seed"] == 0) & (hand["part"] != "test")]
    assert first["labels_trained"] == len(learned)
    assert first["images_trained"] == (learned["part"] == "train").sum()


def test_scores_of_cells_and_of_fields_stand_side_by_side(scored, tmp_path):
    _, _, (metrics, summary, sides) = scored
    for name, table in (("metrics", metrics), ("summary", summary), ("comparisons", compare(sides))):
        write_table(name, table, tmp_path / name)
    tested = summary.query("metric == 'macro_f1' and subset == 'test' and fraction == 1 and shots == 0")
    assert sorted(zip(tested["level"], tested["label_policy"], strict=True)) == [
        ("cell", "hand"),
        ("cell", "single"),
        ("fov", "single"),
    ]
    metric = summary.set_index(["level", "label_policy"])["metric"]
    assert "protein_macro_f1" in set(metric["cell", "single"])
    assert "protein_macro_f1" not in set(metric["cell", "hand"])
    assert set(without_cell_probes(summary)["level"]) == {"fov"}
    neighbours = summary[summary["level"] == "cell"].assign(task="knn_weighted")
    assert len(without_cell_probes(neighbours)) == len(neighbours)


def test_routes_at_one_level_draw_from_the_proteins_of_that_level(scored):
    _, cells, (_, _, sides) = scored
    tested = cells["protein", "single"].query("part == 'test'")
    of_cells = [side for side in sides if side.setting[:3] == ("cell", "protein", "single")]
    assert of_cells and all(
        len(side.proteins[seed]) == tested.loc[tested["seed"] == seed, "gene"].nunique()
        for side in of_cells
        for seed in SEEDS
    )
