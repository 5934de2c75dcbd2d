from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.watched import Watched
from tests.reports.synthetic_study import full_page

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"no browser: none of {', '.join(NAMES)} is on PATH")
        pytest.skip("no Chromium on PATH")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--headless", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the made-up study with every kind of trial."""
    path = tmp_path_factory.mktemp("dashboard") / "dashboard.html"
    path.write_text(full_page(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(browser: Browser, dashboard: Path) -> Iterator[Watched]:
    """That page, opened once for a file's tests that do not look at what others of them have chosen."""
    page = Watched(browser, dashboard)
    yield page
    page.page.close()
    assert page.complaints == []


@pytest.fixture
def watched(browser: Browser, dashboard: Path) -> Iterator[Watched]:
    """That page, opened; whatever it complains of fails the test."""
    page = Watched(browser, dashboard)
    yield page
    page.page.close()
    assert page.complaints == []
