"""Published claims beside a study's own values."""

from __future__ import annotations

import pandas as pd
import pytest
from protloc.config.published import read_published
from protloc.errors import InputError
from protloc.evaluate.published import Data, place, published
from protloc.opencell import FIELDS
from protloc.tables import read_table, write_table

OPENCELL = Data(simulated=False, opencell=True, fields=FIELDS)
HEAD = (
    "claim,text,level,task,backbone,strategy,compared,other_backbone,other_strategy,"
    "split_unit,label_policy,value,spread,source\n"
)


@pytest.fixture
def claims(tmp_path):
    """A way to make the table of claims from its lines."""

    def write(*lines: str) -> dict:
        path = tmp_path / "published.csv"
        path.write_text(HEAD + "\n".join(lines) + "\n")
        return read_published(path)

    return write


def summary(*rows: dict) -> pd.DataFrame:
    usual = {"task": "linear", "level": "fov", "backbone": "a", "strategy": "adapt", "split_unit": "protein"}
    usual |= {"label_policy": "single", "fraction": 1.0, "k": None, "metric": "macro_f1", "runs": 3}
    usual |= {"mean": 0.8, "sd": 0.01, "low": 0.78, "high": 0.82, "shots": 0, "subset": "test"}
    others = [{"subset": "validation", "mean": 0.1, "low": 0.1, "high": 0.1}, {"shots": 4, "mean": 0.1}]
    return pd.DataFrame([usual | row for row in (*rows, *others)]).astype({"k": "Int64"})


def comparisons(*rows: dict) -> pd.DataFrame:
    usual = {"compared": "backbone", "task": "linear", "level": "fov", "backbone": "a", "strategy": "adapt"}
    usual |= {"other_task": "linear", "other_backbone": "b", "other_strategy": "adapt"}
    usual |= {"split_unit": "protein", "label_policy": "single", "fraction": 1.0, "k": None}
    usual |= {"metric": "macro_f1", "shots": 0, "runs": 3, "difference": 0.1, "low": 0.05, "high": 0.15}
    return pd.DataFrame([usual | row for row in rows]).astype({"k": "Int64"})


SCORE = "c,words,fov,frozen,a,,,,,,,0.80,0.01,somebody"
SIGN = "c,words,fov,frozen,b,,backbone,a,,,,0,0,somebody"


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.78, 0.82), "within"),
        ((0.81, 0.90), "within"),
        ((0.811, 0.90), "above"),
        ((0.70, 0.789), "below"),
        ((0.70, 0.79), "within"),
    ],
)
def test_a_verdict_compares_both_ranges(interval, verdict):
    assert place((0.80, 0.01), interval) == verdict


def test_each_value_of_ours_gets_a_verdict_and_a_reserve(claims, tmp_path):
    ours = summary(
        {}, {"split_unit": "fov", "mean": 0.9, "low": 0.88, "high": 0.92}, {"fraction": 0.1}, {"task": "knn"}
    )
    table = published(claims(SCORE), ours, comparisons({}), OPENCELL)
    write_table("published", table, tmp_path / "published.parquet")
    rows = read_table("published", tmp_path / "published.parquet").set_index("split_unit")
    assert dict(rows["verdict"]) == {"protein": "within", "fov": "above"}
    assert rows["reason"].str.startswith("unknown protocol: split unit and label policy not published").all()


def test_a_known_split_is_compared_with_the_same_alone(claims):
    line = "c,words,fov,frozen,a,,,,,protein,single,0.80,0.01,somebody"
    rows = published(claims(line), summary({}, {"split_unit": "fov"}), comparisons({}), OPENCELL)
    said = rows.set_index("split_unit")[["verdict", "reason"]]
    assert tuple(said.loc["protein"]) == ("within", "")
    assert said.loc["fov", "verdict"] == "not comparable"
    assert said.loc["fov", "reason"] == "another split: published for split_unit protein"


def test_a_difference_is_found_from_either_side(claims):
    row = published(claims(SIGN), summary({}), comparisons({}), OPENCELL).iloc[0]
    assert (row["backbone"], row["other_backbone"], row["verdict"]) == ("b", "a", "below")
    assert (row["mean"], row["low"], row["high"]) == (-0.1, -0.15, -0.05)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (Data(True, True, FIELDS), "simulated data"),
        (Data(False, False, FIELDS), "another data set: the label table is not OpenCell's"),
        (Data(False, True, 1200), "another data set: 1,200 of OpenCell's 6,301 fields"),
    ],
)
def test_other_data_are_not_comparable_whatever_the_value(claims, data, reason):
    rows = published(claims(SCORE), summary({}), comparisons({}), data)
    assert list(rows["verdict"]) == ["not comparable"]
    assert list(rows["reason"]) == [reason]
    assert list(rows["mean"]) == [0.8]


def test_what_the_study_lacks_is_a_row_that_says_so(claims):
    row = published(
        claims(SCORE.replace("frozen,a", "finetune,a")), summary({}), comparisons({}), OPENCELL
    ).iloc[0]
    assert (row["verdict"], row["reason"]) == ("not comparable", "not in the study: finetune, fov, a")
    assert row["mean"] is None


def test_the_list_that_is_shipped_is_read():
    claims = read_published()
    assert claims["frozen_hpa_fov"].value == 0.822
    assert claims["single_cells"].level == "cell"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (SCORE.replace("0.80", "high"), "line 2: value: Input should be a valid number"),
        (SCORE.replace("frozen", "cold"), "line 2: task: Input should be 'frozen'"),
        (f"{SCORE}\n{SCORE}", "line 3: claim: c is there twice"),
    ],
)
def test_a_wrong_line_is_named(claims, line, complaint):
    with pytest.raises(InputError, match=complaint):
        claims(line)
