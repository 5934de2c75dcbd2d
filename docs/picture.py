"""Take the README's picture of the demo's dashboard: ``make demo && .venv/bin/python docs/picture.py``.

Needs the development extra and Chromium.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
DASHBOARD = ROOT / "examples" / "runs" / "digits" / "dashboard.html"


def main() -> None:
    """Write ``docs/dashboard.png``: the top of the page, as wide as a laptop shows it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1120})
        page.goto(DASHBOARD.as_uri())
        page.wait_for_load_state()
        page.screenshot(path=ROOT / "docs" / "dashboard.png")
        browser.close()


if __name__ == "__main__":
    main()
