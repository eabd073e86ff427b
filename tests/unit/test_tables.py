from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from protloc.errors import InputError
from protloc.tables import read_table, write_table, write_tables


def proteins(**changes) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gene": ["B", "A"],
            "ensg_id": ["ENSG2", "ENSG1"],
            "grade_3": [["er"], []],
            "grade_2": [[], ["golgi"]],
            "grade_1": [[], []],
            "fovs": [1, 2],
            "problem": [None, "no good images"],
        }
        | changes
    )


def test_rows_are_sorted_by_key_so_equal_content_has_equal_bytes(tmp_path):
    write_table("proteins", proteins(), tmp_path / "a")
    write_table("proteins", proteins().iloc[::-1], tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert list(read_table("proteins", tmp_path / "a")["gene"]) == ["A", "B"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (proteins().drop(columns="fovs"), "columns of proteins are"),
        (proteins(extra=[1, 2]), "columns of proteins are"),
        (proteins(gene=["A", "A"]), r"proteins has two rows with {'gene': 'A'}"),
        (proteins(fovs=["one", "two"]), "does not fit its schema"),
        (proteins(fovs=[1.5, 2.0]), "does not fit its schema"),
        (proteins(ensg_id=[None, "ENSG1"]), "proteins.ensg_id is empty in 1 rows"),
        (proteins(fovs=[np.nan, 2.0]), "proteins.fovs is empty in 1 rows"),
    ],
)
def test_a_frame_that_does_not_fit_is_not_written(frame, message, tmp_path):
    with pytest.raises(InputError, match=message):
        write_table("proteins", frame, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_damaged_file_or_another_table_is_refused(tmp_path):
    write_table("proteins", proteins(), tmp_path / "a")
    with pytest.raises(InputError, match="not a fovs table"):
        read_table("fovs", tmp_path / "a")
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:100])
    with pytest.raises(InputError, match="not a readable proteins table"):
        read_table("proteins", tmp_path / "a")


def test_a_table_in_parts_is_that_of_the_whole_and_parts_out_of_order_are_refused(tmp_path):
    for name, of in proteins().groupby("gene"):
        write_table("proteins", of, tmp_path / f"{name}.parquet")
    parts = [pq.read_table(tmp_path / f"{name}.parquet") for name in "AB"]
    write_tables("proteins", iter(parts), tmp_path / "parts.parquet")
    write_table("proteins", proteins(), tmp_path / "whole.parquet")
    found = [read_table("proteins", tmp_path / f"{name}.parquet") for name in ("parts", "whole")]
    assert found[0].equals(found[1])
    for wrong in (parts[::-1], [parts[0], parts[0]]):
        with pytest.raises(InputError, match=r"\('A',\) is not after"):
            write_tables("proteins", wrong, tmp_path / "wrong.parquet")


def test_rows_that_are_asked_for_are_read_without_the_groups_of_others(tmp_path):
    for name, of in proteins(fovs=[1, 2]).groupby("gene"):
        write_table("proteins", of, tmp_path / f"{name}.parquet")
    parts = [pq.read_table(tmp_path / f"{name}.parquet") for name in "AB"]
    write_tables("proteins", iter(parts), tmp_path / "both")
    other = pq.ParquetFile(tmp_path / "both").metadata.row_group(0)
    content = bytearray((tmp_path / "both").read_bytes())
    first = other.column(0).dictionary_page_offset
    content[first : first + other.total_byte_size // 2] = bytes(other.total_byte_size // 2)
    (tmp_path / "both").write_bytes(content)
    found = read_table("proteins", tmp_path / "both", columns=["ensg_id"], where={"gene": "B"})
    assert found.to_dict("list") == {"ensg_id": ["ENSG2"]}
    with pytest.raises(InputError, match="not a readable proteins table"):
        read_table("proteins", tmp_path / "both")
