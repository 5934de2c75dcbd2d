"""axe-core finds nothing serious on the page, light and dark, with every plot drawn and rows opened."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from reports.dashboard import write_comparison
from tests.browser.watched import Watched
from tests.reports.synthetic_study import full_study

pytestmark = pytest.mark.browser


def serious(watched: Watched) -> list[str]:
    found: list[dict[str, Any]] = Axe().run(watched.page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dashboard_has_no_serious_finding(browser: Browser, dashboard: Path, scheme: str) -> None:
    watched = Watched(browser, dashboard, scheme=scheme)
    watched.scroll_through()
    for opener in watched.page.locator("#trial-table .opener").all()[:3]:
        opener.click()
    assert serious(watched) == []
    watched.page.close()


def test_the_comparison_has_no_serious_finding(browser: Browser, tmp_path: Path) -> None:
    studies = [full_study(), replace(full_study(), name="again")]
    watched = Watched(browser, write_comparison(studies, tmp_path / "page.html"))
    watched.scroll_through()
    assert serious(watched) == []
    watched.page.close()
