"""protloc stage against a real server on loopback that does what servers do on bad days."""

from __future__ import annotations

import hashlib
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from email.utils import formatdate
from pathlib import Path

import pytest
import yaml
from protloc.acquire.fields import acquire_fields
from protloc.acquire.store import open_store, staged_images
from protloc.config.pins import read_pins
from protloc.config.sources import read_sources
from protloc.errors import InputError
from protloc.stage.command import stage
from protloc.stage.patience import Patience
from server import BUCKET, Fault, Fields, Outside

LABELS = "data/opencell-localization-annotations.csv"
WEIGHTS = {
    "hpa_fov_dino": "DINO_FOV_checkpoint.pth",
    "dino_vits16": "dino_deitsmall16_pretrain.pth",
}
STUDY = {
    "study": "tiny",
    "acquisition": {"mirror": "s3://czb-opencell", "labels": LABELS},
    "embedding": {
        "backbones": ["hpa_fov_dino", "imagenet_dino_vits16", "hpa_fov_dino_untrained", "handmade"]
    },
}
COUNT = 12
FIELDS = Fields(COUNT)  # drawn once for all tests
HASTY = {"first_s": 0.001, "silent_s": 0.4, "slow_s": 0.3, "connect_s": 2.0}


class Place:
    """A working directory with a study and a server outside of it."""

    def __init__(self, folder: Path, outside: Outside) -> None:
        self.folder, self.outside = folder, outside
        self.configure()
        self.sources = outside.write_sources(folder / "outside.csv")
        self.lock = folder / "outside.lock.csv"

    def configure(self, **acquisition) -> None:
        study = STUDY | {"acquisition": STUDY["acquisition"] | acquisition}
        (self.folder / "study.yaml").write_text(yaml.safe_dump(study))

    def stage(self, **options) -> int:
        patience = Patience(**HASTY | options.pop("patience", {}))
        return stage(self.folder / "study.yaml", self.sources, patience=patience, **options)

    def expected(self) -> dict[Path, bytes]:
        """What has to be where in the end."""
        outside = self.outside
        files = {Path("data/weights") / name: outside.path_of(row) for row, name in WEIGHTS.items()}
        files[Path(LABELS)] = outside.path_of("opencell_labels")
        for key in projections(outside.fields):
            files[Path("data/tiny/raw") / key] = f"/{BUCKET}/{key}"
        return {path: outside.content(name) for path, name in files.items()}

    def here(self) -> dict[Path, str]:
        """The digest of every file that has a name, by path; listing and hidden files aside."""
        files = (path for path in Path("data").rglob("*") if path.is_file() and path.name[0] != ".")
        return {path: sha256(path.read_bytes()) for path in files if path.name != "listing.json"}

    def assert_nothing_wrong(self) -> None:
        """Whatever has a name has the right content."""
        expected = {path: sha256(content) for path, content in self.expected().items()}
        assert self.here().items() <= expected.items()

    def assert_complete(self) -> None:
        assert self.here() == {path: sha256(content) for path, content in self.expected().items()}
        assert not [path for path in Path("data").rglob("*") if path.suffix in {".part", ".wrong"}]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def projections(fields: Fields) -> list[str]:
    return [key for key in fields.keys if key.endswith("_proj.tif")]


@pytest.fixture
def outside():
    server = Outside(FIELDS, page=5, length=100_000)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def place(tmp_path, outside, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "*")
    return Place(tmp_path, outside)


def test_a_study_gets_what_it_needs_and_nothing_else(place, capsys):
    assert place.stage() == 0
    place.assert_complete()
    said = capsys.readouterr().out
    assert "tiny: 15 of 15 files to come" in said and "free in data" in said
    assert f"opencell_images  {COUNT:>5}" in said and "CC BY-SA 4.0" in said and "Cho et al. 2022" in said
    assert "cc-by-4.0 (see Zenodo record 8061392)" in said
    assert place.outside.asked("_stack.tif") == []
    for part, times in {"_proj.tif": COUNT, ".pth": 2, ".csv": 1, "/api/": 1, "amazonaws.com/": 5}.items():
        found = [one for one in place.outside.asked(part) if one.path.endswith(part) or part == "/api/"]
        assert len(found) == times, part  # the listing has five pages, z-stacks included


def test_a_second_run_asks_for_nothing_at_all(place, capsys):
    place.stage()
    del place.outside.log[:]
    assert place.stage() == 0 and place.outside.log == []
    said = capsys.readouterr().out
    assert "tiny: everything is here" in said and "15 files are here (nothing was transferred)" in said
    place.outside.stop()
    assert place.stage(only_verify=True) == 0
    assert "15 of 15 files are right" in capsys.readouterr().out


def test_acquire_then_needs_no_network(place):
    place.stage()
    place.outside.stop()
    entries = staged_images(Path("data/tiny/listing.json"), "s3://czb-opencell", None)
    fields = acquire_fields(
        open_store("s3://czb-opencell", "us-west-2", "http://127.0.0.1:9"),
        entries,
        Path("data/tiny/raw"),
        0.2,
    )
    assert len(fields) == COUNT and (fields["status"] == "ok").all()
    assert staged_images(Path("data/tiny/listing.json"), "s3://another", None) is None


def test_a_simulated_study_needs_nothing_and_says_so(place, capsys):
    study = {"study": "drawn", "simulation": {}, "embedding": {"backbones": ["handmade"]}}
    (place.folder / "study.yaml").write_text(yaml.safe_dump(study))
    assert place.stage() == 0 and place.outside.log == []
    assert capsys.readouterr().out == (
        "drawn: its images are simulated, and its backbones take no weights from outside: nothing to stage\n"
    )


PASSING = {
    "dropped connections": [Fault("_proj.tif", "drop", 6), Fault("checkpoint.pth", "drop", 3)],
    "503": [Fault("_proj.tif", 503, 6), Fault("/api/records", 503, 2), Fault("s3.amazonaws.com/", 500, 2)],
    "429": [Fault("_proj.tif", 429, 3, retry_after="1")],
    "silence": [Fault("_proj.tif", "silent", 2), Fault("pretrain.pth", "silent", 1)],
    "slow bytes": [Fault("pretrain.pth", "slow", 2)],
    "wrong length": [Fault("_proj.tif", "short", 2), Fault("checkpoint.pth", "long", 1)],
    "wrong content": [Fault("_proj.tif", "flip", 3), Fault("checkpoint.pth", "flip", 1)],
}


@pytest.mark.parametrize("faults", PASSING, ids=[name.replace(" ", "_") for name in PASSING])
def test_what_passes_is_tried_again_and_counted(faults, place, capsys):
    place.outside.faults = [Fault(**vars(fault)) for fault in PASSING[faults]]
    assert place.stage(patience={"least": 5000}) == 0
    place.assert_complete()
    said = capsys.readouterr().out
    struck = sum(min(fault.seen, fault.times) for fault in place.outside.faults)
    assert f"Tried again {struck} times: " in said
    assert struck == sum(fault.times for fault in PASSING[faults])


LASTING = {
    "503": ("_proj.tif", 503, r"status 503, 4 times in a row; what has arrived is kept: run again later"),
    "short": ("_proj.tif", "short", r"what arrives has \d+ bytes, expected \d+; run again later"),
    "flip": ("checkpoint.pth", "flip", r"hpa_fov_dino: what arrives has md5 \w{32}, expected \w{32}; run"),
    "page": (
        "pretrain.pth",
        "page",
        r"dino_vits16: what arrives is a web page, as of a login or a proxy; run",
    ),
    "404": ("_proj.tif", 404, r"the server answers 404"),
}


@pytest.mark.parametrize("fault", LASTING)
def test_what_does_not_pass_is_one_line_and_leaves_nothing_wrong(fault, place, capsys):
    part, kind, message = LASTING[fault]
    place.outside.faults = [Fault(part, kind, None)]
    with pytest.raises(InputError, match=message) as error:
        place.stage(patience={"tries": 4})
    assert "\n" not in str(error.value)
    place.assert_nothing_wrong()
    place.outside.faults = []
    assert place.stage() == 0
    place.assert_complete()


def test_what_was_cut_off_goes_on_by_range(place):
    path = place.outside.path_of("dino_vits16")
    place.outside.faults = [Fault("pretrain.pth", "drop", 1), Fault("pretrain.pth", 503, None)]
    place.outside.faults[1].after = 1
    with pytest.raises(InputError, match=r"dino_vits16: status 503"):
        place.stage(patience={"tries": 2})
    place.outside.faults = []
    del place.outside.log[:]
    place.stage()
    place.assert_complete()
    (answer,) = place.outside.asked(path)
    assert (answer.range, answer.status, answer.sent) == ("bytes=50000-", 206, 50_000)


def test_a_file_that_is_another_by_then_starts_anew(place):
    path = place.outside.path_of("dino_vits16")
    place.outside.faults = [Fault("pretrain.pth", "drop", 1), Fault("pretrain.pth", 503, None, after=1)]
    with pytest.raises(InputError):
        place.stage(patience={"tries": 2})
    place.outside.faults = []
    place.outside.changed.add(path)
    place.stage()
    place.assert_complete()
    assert place.outside.asked(path)[-1].range is None


def test_retry_after_is_waited_for_by_all(place):
    when = formatdate(time.time() + 3, usegmt=True)  # a date has no fractions: two seconds at least
    place.outside.faults = [Fault("_proj.tif", 429, 1, retry_after=when)]
    place.stage(parallel=2)
    refused = next(one.at for one in place.outside.log if one.status == 429)
    asked = [one.at - refused for one in place.outside.asked("_proj.tif")]
    assert sum(0 < after < 1.5 for after in asked) <= 1  # the other one may have been under way
    assert sum(after > 1.5 for after in asked) >= COUNT - 2
    place.outside.faults = [Fault("_proj.tif", 429, 1, retry_after="5000")]
    shutil.rmtree("data/tiny/raw")
    with pytest.raises(InputError, match="status 429: the server asks to wait for 5000 s; run again then"):
        place.stage()


def test_an_object_that_changes_after_it_was_listed(place):
    key = projections(place.outside.fields)[3]
    place.outside.changed.add(f"/{BUCKET}/{key}")
    with pytest.raises(InputError, match=r"proj.tif: was changed by its publisher while it was fetched; run"):
        place.stage()
    here = place.here()
    assert Path("data/tiny/raw") / key not in here and len(here) == 14  # the others are there
    assert not Path("data/tiny/listing.json").exists()  # the next run lists anew


def test_a_page_that_is_passed_over_is_seen_by_what_is_expected_or_pinned(place):
    place.configure(expected_fields=COUNT)
    for kind in ("lose", "unsaid"):
        place.outside.faults = [Fault("s3.amazonaws.com/", kind, 1, after=1)]
        with pytest.raises(
            InputError, match=rf"lists \d+ projections, acquisition.expected_fields says {COUNT}"
        ):
            place.stage()
    assert place.outside.asked("_proj.tif") == []
    place.outside.faults = []
    place.stage()
    place.configure()
    Path("data/tiny/listing.json").unlink()
    place.outside.faults = [Fault("s3.amazonaws.com/", "lose", 1, after=1)]
    with pytest.raises(InputError, match=rf"opencell_images: {COUNT} projections .* pinned on .* now \d+ of"):
        place.stage()


@pytest.mark.parametrize(
    ("segmenter", "row", "files"),
    [
        ("cellpose", "cellpose_sam", ["cpsam_v2"]),
        ("stardist", "stardist_2d_versatile_fluo", ["2D_versatile_fluo/config.json"]),
    ],
)
def test_weights_of_a_segmenter_come_by_way_of_a_redirect_and_are_unpacked(segmenter, row, files, place):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../2D/config.json", "{}")
    place.outside.files[place.outside.path_of(row)] = packed.getvalue()
    (place.folder / "study.yaml").write_text(yaml.safe_dump(STUDY | {"cells": {"segmenter": segmenter}}))
    assert place.stage() == 0
    assert all((Path("data/weights") / name).is_file() for name in files)
    assert read_pins(place.lock)[row].checksum is None  # its ETag looks like an MD5, and is none
    assert not Path("data/2D").exists()
    assert place.outside.asked("/moved/")


def test_zenodo_and_the_lock_have_to_agree(place, capsys):
    place.stage()
    said = capsys.readouterr().out
    pins = read_pins(place.lock)
    assert {name: pin.trust for name, pin in pins.items()} == {
        "hpa_fov_dino": "publisher",
        "dino_vits16": "first use",
        "opencell_images": "first use",
    }
    assert f"Pinned in {place.sources.with_name('outside.lock.csv')}: hpa_fov_dino\n" in said
    assert "dino_vits16, trusted on first use, as no digest is published" in said
    content = place.outside.content(place.outside.path_of("hpa_fov_dino"))
    pin = pins["hpa_fov_dino"]
    assert (pin.sha256, pin.size, pin.files) == (sha256(content), len(content), 1)
    assert pin.checksum == f"md5:{hashlib.md5(content).hexdigest()}"
    row = read_sources(place.sources)["hpa_fov_dino"]
    assert (row.sha256, row.size, row.listed_in) == (pin.sha256, pin.size, "config/sources.lock.csv")
    Path("data/weights/DINO_FOV_checkpoint.pth").unlink()
    place.outside.faults = [Fault("/api/records/8061392", "other", 1)]
    with pytest.raises(
        InputError, match=r"hpa_fov_dino: checksum: its publisher says md5:\w+, before it was"
    ):
        place.stage()
    assert place.outside.asked("DINO_FOV_checkpoint.pth")[1:] == []


def test_weights_that_differ_from_the_lock_do_not_come(place):
    place.stage()
    Path("data/weights/dino_deitsmall16_pretrain.pth").unlink()
    place.outside.changed.add(place.outside.path_of("dino_vits16"))
    with pytest.raises(InputError, match=r"dino_vits16: what arrives has sha256 \w+, expected"):
        place.stage()
    assert not Path("data/weights/dino_deitsmall16_pretrain.pth").exists()


def test_verify_reads_everything_and_takes_the_name_from_what_is_wrong(place, capsys):
    place.stage()
    first, second = (Path("data/tiny/raw") / key for key in projections(place.outside.fields)[:2])
    weights = Path("data/weights/DINO_FOV_checkpoint.pth")
    for path in (first, weights):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    second.unlink()
    assert place.stage(only_verify=True) == 1
    said = capsys.readouterr().out
    assert f"{first}: has md5 " in said and f"; it is now {first.name}.wrong" in said
    assert f"{second}: is missing" in said and "12 of 15 files are right" in said
    assert f"{weights}: has sha256" in said and weights.exists()
    weights.unlink()
    first.with_name(f"{first.name}.wrong").unlink()
    place.stage()
    place.assert_complete()


def test_a_file_of_the_users_is_never_overwritten(place):
    Path("data").mkdir()
    Path(LABELS).write_text("my own table")
    with pytest.raises(
        InputError, match=r"annotations.csv: is there and is not opencell_labels.*move it away"
    ):
        place.stage()
    assert Path(LABELS).read_text() == "my own table"


def test_weights_on_request_are_asked_for_before_anything_is_fetched(place):
    study = STUDY | {"embedding": {"backbones": ["hpa_fov_dino", "dinov3_vits16"]}}
    (place.folder / "study.yaml").write_text(yaml.safe_dump(study))
    with pytest.raises(
        InputError, match=r"dinov3_vits16.* ask for them at https://ai\.meta\.com/.*put the file"
    ):
        place.stage()
    assert not place.here()


def test_files_that_were_copied_over_are_checked_and_linked(place, tmp_path, monkeypatch, capsys):
    place.stage()
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy("study.yaml", other)
    Path("data").rename(other / "usb")
    monkeypatch.chdir(other)
    wrong = next((other / "usb").rglob("*_proj.tif"))
    wrong.write_bytes(bytes(wrong.stat().st_size))
    del place.outside.log[:]
    assert place.stage(mirror=other / "usb") == 0
    place.assert_complete()
    assert [one.path.rsplit("/", 1)[1] for one in place.outside.log] == [wrong.name]
    assert "(14 copied, 1 fetched)" in capsys.readouterr().out
    assert Path(LABELS).stat().st_nlink == 2


def test_without_a_terminal_a_line_a_minute_says_how_far_it_is(place, monkeypatch, caplog):
    monkeypatch.setattr("protloc.progress.LOG_EVERY_S", 0.0)
    caplog.set_level("INFO")
    place.stage()
    assert re.search(r"403 kB of 403 kB, [\d.]+ [kM]B a second", caplog.text)


def test_with_all_of_another_machines_files_no_network_is_needed(place, tmp_path, monkeypatch):
    place.stage()
    other = tmp_path / "other"
    other.mkdir()
    Path("data").rename(other / "usb")
    shutil.copy("study.yaml", other)
    monkeypatch.chdir(other)
    place.outside.stop()
    assert place.stage(mirror=other / "usb", patience={"tries": 1}) == 0
    place.assert_complete()


def test_a_disk_that_is_too_small_is_seen_before_anything_comes(place, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(1000, 990, 10))
    with pytest.raises(InputError, match=r"data: \d+ kB to come, 10 B free, \d+ kB missing; free some"):
        place.stage()
    assert place.outside.asked("_proj.tif") == [] and place.outside.asked(".pth") == []


def test_a_place_that_cannot_be_written_is_one_line(place):
    Path("data").mkdir()
    Path("data/weights").write_text("no folder")
    with pytest.raises(InputError, match=r"data/weights: cannot be written \(File exists\); run again when"):
        place.stage()


def test_a_disk_that_fills_up_meanwhile_ends_the_work(place, monkeypatch):
    """On a real file system of 150 kB; what others write is what makes it full."""
    Path("data/weights").mkdir(parents=True)
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150k", "none", "data/weights"]).returncode
    ):
        pytest.skip("no small file system can be mounted here: that takes root")
    try:
        monkeypatch.setattr("protloc.stage.work.check_space", lambda files: "")
        with pytest.raises(
            InputError, match=r"data/weights: the disk is full; free some, and run again"
        ) as error:
            place.stage()
        assert "\n" not in str(error.value)
        place.assert_nothing_wrong()
        subprocess.run(["mount", "-o", "remount,size=1m", "data/weights"], check=True)
        assert place.stage() == 0
        place.assert_complete()
    finally:
        subprocess.run(["umount", "data/weights"], check=True)


def test_ten_times_killed_ends_in_the_same_bytes(place):
    place.outside.rate = 60_000
    words = [sys.executable, "-m", "protloc.cli", "stage", "--configfile", "study.yaml"]
    words += ["--sources", "outside.csv", "--parallel", "3"]
    chance, finished, killed = random.Random(7), {}, 0
    while killed < 10:
        before = {path.name for path in Path("data").rglob("*") if path.name[0] != "."}
        start = len(place.outside.log)
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        until = time.monotonic() + 10
        while len(place.outside.log) == start and time.monotonic() < until and process.poll() is None:
            time.sleep(0.01)  # until it is at work
        time.sleep(chance.uniform(0, 0.35))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        assert process.returncode == -signal.SIGKILL, "it was done before it could be killed ten times"
        place.assert_nothing_wrong()
        again = {Path(one.path).name for one in place.outside.log[start:] if one.method == "GET"}
        assert not again & before
        finished |= dict.fromkeys(before)
    place.outside.rate = None
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    place.assert_complete()
    sent = sum(one.sent for one in place.outside.asked(".pth"))
    assert sent < 200_000 + 10 * 3 * 40_000 and len(finished) > 0


def heed_interrupts() -> None:
    """As in a terminal: what a shell starts in the background ignores SIGINT, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_interrupted_says_so_in_a_line_and_a_second_beside_it_is_refused(number, place):
    place.outside.rate = 5_000  # it is not over before it is interrupted
    words = [
        sys.executable,
        "-m",
        "protloc.cli",
        "stage",
        "--configfile",
        "study.yaml",
        "--sources",
        "outside.csv",
    ]
    first = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    while not place.outside.asked("_proj.tif"):
        time.sleep(0.01)
    second = subprocess.run(words, capture_output=True, text=True)
    assert second.returncode == 1 and "still writes this result; run again when it is over" in second.stderr
    first.send_signal(number)
    said = first.communicate(timeout=20)[1]
    assert first.returncode == (1 if number == signal.SIGINT else 143)
    assert len(said.splitlines()) == 1
    assert "run again to go on" in said or "the same command goes on" in said
    place.assert_nothing_wrong()


def test_a_proxy_of_the_environment_is_used(place, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", place.outside.address)
    closed = place.sources.read_text().replace(place.outside.address, "http://127.0.0.1:9")
    place.sources.write_text(closed)
    assert place.stage() == 0
    place.assert_complete()


def test_a_certificate_of_the_environment_is_trusted_and_no_other(place, tmp_path, monkeypatch):
    authority = certificate(tmp_path)
    server = Outside(FIELDS, certificate=authority)
    server.start()
    server.write_sources(place.sources)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="the server's certificate is not trusted; give SSL_CERT_FILE"):
        place.stage()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    assert place.stage() == 0
    server.stop()


def certificate(folder: Path) -> Path:
    """A key and a certificate for this machine that nobody has signed but itself."""
    key, signed, both = (folder / name for name in ("key.pem", "signed.pem", "both.pem"))
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(signed)]
    if shutil.which("openssl") is None:
        pytest.skip("makes a certificate with openssl, which is not here")
    subprocess.run(words, check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + signed.read_bytes())
    return both
