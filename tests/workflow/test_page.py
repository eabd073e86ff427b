"""The page that is opened first, in a real browser, and after a run in which a step failed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
from browser import Browser
from conftest import mini, run
from protloc.opencell import ANNOTATIONS
from protloc.tables import read_table

WIDTHS = (360, 800, 1280)  # px: a phone, a tablet, a desk
UNFOLD = "for (const part of document.querySelectorAll('details')) part.open = true;"
EAGER = "for (const picture of document.images) picture.loading = 'eager';"
LOADED = "return [...document.images].every(picture => picture.complete);"
BROKEN = "return [...document.images].filter(picture => !picture.naturalWidth).map(picture => picture.src);"
OVER = "return document.documentElement.scrollWidth - document.documentElement.clientWidth;"
CUT = """return [...document.querySelectorAll('p, li, h1, h2, h3, dt, dd, summary')]
    .filter(part => part.scrollWidth > part.clientWidth + 1 && part.clientWidth)
    .map(part => part.textContent);"""
LINKS = "return [...document.querySelectorAll('a[href], img[src]')].map(part => part.href || part.src);"
LIMIT_MB = 15


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_opens_without_fault_at_any_width(finished, chromium, width):
    see(chromium, finished / "results/mini/index.html", width)
    assert chromium.console() == []
    assert chromium.requests() == []
    assert chromium.driver.execute_script(BROKEN) == []
    assert chromium.driver.execute_script(OVER) <= 0
    assert chromium.driver.execute_script(CUT) == []
    assert "transfer to protein localization" in chromium.text("h1")
    assert len(chromium.text("#answer")) > 200
    missing = [link for link in chromium.driver.execute_script(LINKS) if not is_there(link)]
    assert missing == []


def test_the_page_leads_to_every_table_and_its_record(finished, chromium):
    see(chromium, finished / "results/mini/index.html", WIDTHS[-1])
    linked = {Path(unquote(urlsplit(link).path)) for link in chromium.driver.execute_script(LINKS)}
    tables = {
        path for path in (finished / "results/mini").rglob("[!.]*.parquet") if ".kept" not in path.parts
    }
    assert tables
    assert tables <= linked
    assert {Path(f"{table}.record.json") for table in tables} <= linked


def test_the_report_is_small_enough_to_be_sent(finished):
    assert (finished / "results/mini/report.html").stat().st_size < LIMIT_MB * 1e6


def test_every_claim_is_not_comparable_on_simulated_data(finished):
    table = read_table("published", finished / "results/mini/published.parquet")
    assert len(table)
    assert set(table["verdict"]) == {"not comparable"}
    assert set(table["reason"]) == {"simulated data"}


@pytest.mark.slow
def test_a_backbone_that_fails_is_named_on_the_page_of_all_others(tmp_path):
    study = mini(
        embedding={"backbones": ["imagenet_dino_vits16", "handmade", "majority"]}, cells=None, finetune=None
    )
    failed = run(tmp_path, study)
    assert failed.returncode != 0
    assert "--config partial=True" in failed.stdout
    assert not (tmp_path / "results/mini/index.html").exists()
    shown = run(tmp_path, study, "--config", "partial=True")
    assert shown.returncode == 0, shown.stdout
    page = (tmp_path / "results/mini/index.html").read_text()
    assert "DINO ViT-S/16, ImageNet has no results (logistic): its step failed, or was left out." in page
    summary = read_table("summary", tmp_path / "results/mini/summary.parquet")
    assert set(summary["backbone"]) == {"handmade", "majority"}


def see(browser: Browser, page: Path, width: int) -> None:
    """Open the page at a width, with all that is folded and all pictures."""
    from selenium.webdriver.support.ui import WebDriverWait

    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < WIDTHS[1]}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.open(page)
    browser.driver.execute_script(UNFOLD + EAGER)
    WebDriverWait(browser.driver, 20).until(lambda driver: driver.execute_script(LOADED))


def is_there(link: str) -> bool:
    """Whether a link leads to a file, or to a place on the page that there is."""
    parts = urlsplit(link)
    path = Path(unquote(parts.path))
    if parts.scheme != "file" or not path.is_file():
        return False
    return not parts.fragment or bool(re.search(f'id="{re.escape(parts.fragment)}"', path.read_text()))


@pytest.mark.slow
def test_one_backbone_and_one_seed_without_cells_make_a_page(relabelled, tmp_path):
    done = run(tmp_path, relabelled)
    assert done.returncode == 0, done.stdout
    page = (tmp_path / "results/mini/index.html").read_text()
    for said in ("Only controls were probed", "There is one seed", "single cells were not scored"):
        assert said in page
    assert "another data set: the label table is not OpenCell" in page
    assert "Simulated images" not in page


@pytest.mark.slow
def test_one_class_cannot_be_split_and_still_has_a_page(relabelled, tmp_path):
    labels = tmp_path / "mirror" / ANNOTATIONS
    pd.read_csv(labels, dtype=str).assign(annotations_grade_3="er").to_csv(labels, index=False)
    failed = run(tmp_path, relabelled)
    assert failed.returncode != 0
    assert "no split by protein is possible: 1 of the classes have enough proteins" in failed.stdout
    shown = run(tmp_path, relabelled, "--config", "partial=True")
    assert shown.returncode == 0, shown.stdout
    page = (tmp_path / "results/mini/index.html").read_text()
    assert "No probe was trained in this study" in page
    assert "hand-made features has no results (logistic)" in page


@pytest.fixture
def relabelled(finished, tmp_path) -> dict:
    """A study of one backbone and one seed on a mirror with labels of its own, two classes; no cells."""
    shutil.copytree(finished / "data/mini/mirror", tmp_path / "mirror")
    labels = tmp_path / "mirror" / ANNOTATIONS
    table = pd.read_csv(labels, dtype=str)
    classes = ["er" if number % 2 else "golgi" for number in range(len(table))]
    table = table.assign(annotations_grade_3=classes, annotations_grade_2="", annotations_grade_1="")
    table.to_csv(labels, index=False)
    study = mini(embedding={"backbones": ["handmade"]}, splits={"seeds": [0]}, cells=None, finetune=None)
    del study["simulation"]
    return study | {"acquisition": {"mirror": "mirror", "labels": f"mirror/{ANNOTATIONS}"}}
