from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import COLUMNS, key, pixels, write_field
from protloc.acquire import fetch as fetching
from protloc.acquire.fields import acquire_fields, report_bad
from protloc.acquire.labels import match, read_labels
from protloc.acquire.store import list_images, open_store
from protloc.errors import InputError
from protloc.hashing import sha256_bytes
from protloc.images import read_field
from protloc.listing import Listed, check_count
from protloc.opencell import CLASSES
from protloc.tables import read_table, write_table


def acquire(mirror: Path | str, root: Path, **place):
    store = open_store(str(mirror), "us-west-2", place.get("endpoint"))
    return acquire_fields(store, list_images(store, str(mirror)), root, 0.2)


def test_good_fields_are_copied_and_described(mirror, tmp_path):
    fields = acquire(mirror, tmp_path / "raw")
    assert list(fields["fov_id"]) == ["FID00000001", "FID00000002", "FID00000003"]
    assert list(fields["gene"]) == ["AAA", "AAA", "HLA-B"]
    assert (fields["status"] == "ok").all()
    assert (fields[["height", "width"]].to_numpy() == (40, 48)).all()
    last = fields.iloc[2]
    assert np.array_equal(read_field(tmp_path / "raw", last["key"], last["sha256"]), pixels(3))
    write_table("fovs", fields, tmp_path / "fovs.parquet")
    assert len(read_table("fovs", tmp_path / "fovs.parquet")) == 3


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def one_channel(path: Path) -> None:
    write_field(path.parent, path.name, pixels(1, (40, 48)))


def eight_bit(path: Path) -> None:
    write_field(path.parent, path.name, pixels(1).astype(np.uint8))


def floating(path: Path) -> None:
    write_field(path.parent, path.name, pixels(1).astype(np.float32))


def wrongly_named(path: Path) -> None:
    path.rename(path.with_name("field one.tif"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (empty, "the file is empty; fetch it again"),
        (truncated, "not a readable TIFF"),
        (one_channel, r"shape is \(40, 48\), expected \(2, height, width\)"),
        (eight_bit, "pixels are uint8, expected uint16"),
        (floating, "pixels are float32, expected uint16"),
        (wrongly_named, "does not follow the bucket's grammar; rename the file"),
    ],
)
def test_a_bad_field_is_recorded_logged_and_left_out(damage, message, mirror, tmp_path, caplog):
    damage(mirror / key("AAA", 1))
    fields = acquire(mirror, tmp_path / "raw")
    bad = fields[fields["status"] == "bad"]
    assert len(fields) == 3
    assert len(bad) == 1
    assert bad["problem"].str.contains(message).all()
    write_table("fovs", fields, tmp_path / "fovs.parquet")
    report_bad(fields, 0.5)
    assert f"left out: {bad['key'].iloc[0]}: " in caplog.text
    assert "1 of 3 fields are bad and left out" in caplog.text
    with pytest.raises(InputError, match=r"1 of 3 fields are bad, more than quality.max_bad_share = 0.1"):
        report_bad(fields, 0.1)


def test_two_files_with_one_id_are_both_left_out(mirror, tmp_path):
    write_field(mirror, key("BBB", 1), pixels(9))
    fields = acquire(mirror, tmp_path / "raw")
    assert list(fields.loc[fields["status"] == "bad", "fov_id"]) == [key("AAA", 1), key("BBB", 1)]
    write_table("fovs", fields, tmp_path / "fovs.parquet")


def test_stacks_and_other_files_are_passed_over(mirror, tmp_path):
    name = key("AAA", 7).replace("proj", "stack")
    write_field(mirror, name, pixels(7))
    (mirror / "microscopy/raw/notes.txt").write_text("none")
    assert len(acquire(mirror, tmp_path / "raw")) == 3
    assert not (tmp_path / "raw" / name).exists()


def test_an_empty_or_absent_mirror_is_refused_by_name(tmp_path):
    (tmp_path / "mirror").mkdir()
    with pytest.raises(InputError, match=r"mirror: no TIFF files below microscopy/raw/"):
        acquire(tmp_path / "mirror", tmp_path / "raw")
    with pytest.raises(InputError, match=r"acquisition.mirror: .*nowhere: no such folder"):
        acquire(tmp_path / "nowhere", tmp_path / "raw")


def test_a_key_cannot_lead_out_of_its_folder(tmp_path):
    with pytest.raises(InputError, match="lies outside"):
        read_field(tmp_path / "raw", "../secret.tif", "0")


def test_a_changed_file_is_not_taken_for_the_listed_one(mirror, tmp_path):
    fields = acquire(mirror, tmp_path / "raw")
    first = fields.iloc[0]
    write_field(tmp_path / "raw", first["key"], pixels(99))
    with pytest.raises(InputError, match=r"is not the file listed in fovs.parquet; run again"):
        read_field(tmp_path / "raw", first["key"], first["sha256"])


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """The address of a real S3 server on loopback with a public bucket of 1,005 objects: two pages."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-west-2", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(
        Bucket="fields", ACL="public-read", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    folder = tmp_path_factory.mktemp("objects")
    for field in range(5):
        body = write_field(folder, f"{field}.tif", pixels(field)).read_bytes()
        client.put_object(Bucket="fields", Key=key("AAA", field), Body=body, ACL="public-read")
    for other in range(1000):
        client.put_object(Bucket="fields", Key=f"microscopy/raw/a{other}.txt", Body=b"-", ACL="public-read")
    yield endpoint
    server.stop()


def test_a_bucket_gives_what_a_mirror_folder_gives(bucket, tmp_path):
    for field in range(5):
        write_field(tmp_path / "mirror", key("AAA", field), pixels(field))
    here = acquire(tmp_path / "mirror", tmp_path / "a")
    there = acquire("s3://fields", tmp_path / "b", endpoint=bucket)
    assert here.equals(there)


def test_what_is_there_is_not_fetched_again_but_what_is_damaged_is(bucket, tmp_path, monkeypatch):
    acquire("s3://fields", tmp_path, endpoint=bucket)
    damaged = tmp_path / key("AAA", 2)
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    asked, lock = [], threading.Lock()
    get = fetching.obstore.get

    def counted(store, path):
        with lock:
            asked.append(path)
        return get(store, path)

    monkeypatch.setattr(fetching.obstore, "get", counted)
    fields = acquire("s3://fields", tmp_path, endpoint=bucket)
    assert asked == [key("AAA", 2)]
    assert (fields["status"] == "ok").all()


def test_a_transfer_that_differs_from_the_listing_gets_no_name(mirror, tmp_path, monkeypatch):
    store = open_store(str(mirror), "us-west-2", None)
    entry = list_images(store, str(mirror))[0]._replace(size=5)
    with pytest.raises(InputError, match=r"FID00000001_proj.tif: what arrived is not what the store lists"):
        fetching.fetch(store, entry, tmp_path / "raw")
    assert [path for path in (tmp_path / "raw").rglob("*") if path.is_file()] == []


def test_a_staged_object_that_was_uploaded_in_parts_is_known_by_its_sha256(mirror, tmp_path):
    store, entry = open_store("s3://fields", "us-west-2", "http://127.0.0.1:9"), key("AAA", 1)
    content = (mirror / entry).read_bytes()
    listed = Listed(entry, len(content), '"0-2"', sha256_bytes(content))
    assert fetching.fetch(store, listed, mirror) == content
    for wrong in (listed._replace(sha256=None), listed._replace(sha256="0" * 64)):
        with pytest.raises(InputError, match="could not be fetched"):
            fetching.fetch(store, wrong, mirror)


def test_fewer_fields_than_expected_stop_and_more_are_told(mirror, caplog):
    images = list_images(open_store(str(mirror), "us-west-2", None), str(mirror))
    check_count(images, 3, "mirror")
    check_count(images, None, "mirror")
    assert not caplog.text
    check_count(images, 2, "mirror")
    assert "mirror: lists 3 projections, acquisition.expected_fields says 2" in caplog.text
    with pytest.raises(
        InputError, match=r"lists 3 projections, acquisition.expected_fields says 4; run again"
    ):
        check_count(images, 4, "mirror")


def test_an_unreachable_bucket_is_one_line(tmp_path, monkeypatch):
    store = open_store("s3://fields", "us-west-2", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"s3://fields: cannot be listed") as caught:
        list_images(store, "s3://fields")
    assert "\n" not in str(caught.value)


def table(tmp_path: Path, *rows: str, header: str = COLUMNS) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_labels_are_split_and_sorted_by_grade(tmp_path):
    row = read_labels(table(tmp_path, "AAA,ENSG1,vesicles;er,golgi,"), CLASSES).iloc[0]
    assert (row["grade_3"], row["grade_2"], row["grade_1"]) == (["er", "vesicles"], ["golgi"], [])


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["AAA,ENSG1,er,,"], COLUMNS.replace("_grade_2", ""), "column annotations_grade_2 is missing"),
        (["AAA,ENSG1,er,,", "BBB,ENSG2,,lysosome,"], COLUMNS, "line 3: annotations_grade_2: lysosome is not"),
        (["AAA,ENSG1,er,,", "AAA,ENSG1,er,,"], COLUMNS, "target_name: AAA is listed twice"),
        (["AAA,ENSG1,er,,er"], COLUMNS, "line 2: AAA has er twice; keep one grade"),
        (["AAA,ENSG1,er"], COLUMNS, "line 2: has fewer values than columns"),
    ],
)
def test_a_wrong_label_table_is_refused_with_file_and_line(rows, header, message, tmp_path):
    with pytest.raises(InputError, match=rf"labels.csv: {message}"):
        read_labels(table(tmp_path, *rows, header=header), CLASSES)


def test_disagreements_are_counted_and_noted(mirror, tmp_path, caplog):
    rows = ["HLA-B,ENSG00000000009,er,,", "CCC,ENSG00000000003,golgi,,"]
    caplog.set_level("INFO")
    proteins, fields = match(read_labels(table(tmp_path, *rows), CLASSES), acquire(mirror, tmp_path / "raw"))
    noted = proteins.set_index("gene")["problem"]
    assert noted["HLA-B"] == "files say ENSG00000000001"
    assert noted["CCC"] == "no good images"
    by_id = fields.set_index("fov_id")["problem"]
    assert by_id["FID00000003"] == "the label table says ENSG00000000009"
    assert "no such protein" in by_id["FID00000001"]
    assert "1 proteins of the label table have no good images, e.g. CCC" in caplog.text
    assert "2 fields are of proteins that the label table lacks, e.g. AAA" in caplog.text
    assert "1 fields have another Ensembl id than the label table, e.g. HLA-B" in caplog.text
    write_table("proteins", proteins, tmp_path / "proteins.parquet")


def test_the_real_table_is_accepted(shared):
    proteins = read_labels(shared / "data/opencell-localization-annotations.csv", CLASSES)
    assert len(proteins) == 1310
    assert sum(len(labels) == 1 for labels in proteins["grade_3"]) == 868
