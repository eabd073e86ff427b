"""A real browser without a window, for tests of the pages that the project writes."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

WITHIN = ("file:", "data:", "blob:", "about:", "chrome:")
WAIT_S = 20.0
SIZE = "1280,1000"
NAMES = (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))


class Browser:
    """Chromium and what it saw: `driver` is selenium's; `downloads` is where files are saved."""

    def __init__(self, chromium: str, driver: str, folder: Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        self.downloads = folder / "downloads"
        self.downloads.mkdir()
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        words = ["--headless=new", f"--window-size={SIZE}", f"--user-data-dir={folder / 'profile'}"]
        words += ["--disable-dev-shm-usage"]  # containers have little of it
        words += ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to run as root with one
        for word in words:
            options.add_argument(word)
        options.add_experimental_option("prefs", {"download.default_directory": str(self.downloads)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))

    def open(self, page: Path) -> None:
        """Show a file, after forgetting what earlier pages left in the logs."""
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(page.as_uri())

    def press(self, *keys: str) -> None:
        """Press keys one after another, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def text(self, selector: str) -> str:
        """What an element says."""
        return self.driver.find_element("css selector", selector).text

    def click(self, selector: str) -> None:
        """Click an element."""
        self.driver.find_element("css selector", selector).click()

    def console(self) -> list[str]:
        """Warnings and errors on the console since they were last asked for."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """Addresses asked for since that was last asked, without files and what the browser has in itself."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        addresses = [request["request"]["url"] for request in sent]
        return [address for address in addresses if not address.startswith(WITHIN)]

    def downloaded(self, name: str) -> Path:
        """The file of that name, once it is whole."""
        path, until = self.downloads / name, time.monotonic() + WAIT_S
        while not path.exists() or not path.stat().st_size:
            assert time.monotonic() < until, f"{name} was not saved in {self.downloads}"
            time.sleep(0.1)
        return path


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests; they are skipped where there is none."""
    found = [next(filter(None, map(shutil.which, names)), None) for names in NAMES]
    if None in found:
        pytest.skip("no browser: apt install chromium chromium-driver")
    browser = Browser(*found, tmp_path_factory.mktemp("browser"))
    yield browser
    browser.driver.quit()
