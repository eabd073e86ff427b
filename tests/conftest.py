"""What tests share: the real images and labels, and a browser, where there are any."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import chromium

__all__ = ["chromium"]

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real OpenCell files beside the checkout; tests that need it are skipped without it."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("the real OpenCell files (../shared/data) are not beside this checkout")
    return folder
